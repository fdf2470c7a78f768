use std::fmt;
use std::str::FromStr;

use alloy_primitives::{Address, address};
use ferrex_fault::{Classify, Kind};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// An address of an EVM chain. Its text form always carries the EIP-55 checksum.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EvmAddress(Address);

/// Why a text is not an address. The texts are written for the person who sent it; none suggests a correction, since
/// a wrong character may be any of the forty.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// It does not begin with `0x`.
    #[error("an address begins with \"0x\", followed by 40 characters of 0-9 and a-f")]
    NoPrefix,
    /// It has more or fewer than 40 characters after `0x`.
    #[error("an address has 40 characters after \"0x\", this has {got}")]
    WrongLength {
        /// Characters found after `0x`.
        got: usize,
    },
    /// A character is no hexadecimal digit.
    #[error("an address holds only 0-9 and a-f after \"0x\"; character {position} is another")]
    NotHex {
        /// Which one, counted from 1, the `0x` included.
        position: usize,
    },
    /// Upper and lower case are mixed, and not as the checksum wants it.
    #[error("the address has a typing error: its mix of upper and lower case does not match its checksum")]
    ChecksumWrong,
}

impl Classify for AddressError {
    fn kind(&self) -> Kind {
        Kind::Invalid
    }
    fn code(&self) -> &'static str {
        match self {
            Self::NoPrefix => "chains.address.no_prefix",
            Self::WrongLength { .. } => "chains.address.wrong_length",
            Self::NotHex { .. } => "chains.address.not_hex",
            Self::ChecksumWrong => "chains.address.checksum_wrong",
        }
    }
}

/// Why a well-formed address cannot be paid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PayeeError {
    /// It is the zero address.
    #[error("this is the zero address; what is sent there is lost")]
    Zero,
    /// It is an address known to have no owner.
    #[error("this is a burn address; what is sent there is lost")]
    Burn,
    /// It lies where the chain keeps its built-in contracts.
    #[error("this address belongs to the chain itself; what is sent there is lost")]
    Reserved,
}

impl Classify for PayeeError {
    fn kind(&self) -> Kind {
        Kind::Invalid
    }
    fn code(&self) -> &'static str {
        match self {
            Self::Zero => "chains.payee.zero_address",
            Self::Burn => "chains.payee.burn_address",
            Self::Reserved => "chains.payee.reserved_address",
        }
    }
}

const BURN: [Address; 3] = [
    address!("0x000000000000000000000000000000000000dEaD"),
    address!("0xdEAD000000000000000042069420694206942069"),
    address!("0xffffffffffffffffffffffffffffffffffffffff"),
];

impl EvmAddress {
    /// The zero address, which owns nothing; a transfer from it is the making of tokens.
    pub const ZERO: Self = Self(Address::ZERO);

    /// An address from its 20 bytes.
    pub const fn from_bytes(bytes: [u8; 20]) -> Self {
        Self(Address::new(bytes))
    }

    /// The 20 bytes.
    pub fn bytes(self) -> [u8; 20] {
        self.0.into_array()
    }

    /// Reads `0x` and 40 hexadecimal digits. Digits all in lower or all in upper case carry no checksum and are
    /// accepted; mixed case must match EIP-55.
    pub fn parse(text: &str) -> Result<Self, AddressError> {
        let digits = text.strip_prefix("0x").ok_or(AddressError::NoPrefix)?;
        let got = digits.chars().count();
        if got != 40 {
            return Err(AddressError::WrongLength { got });
        }
        if let Some(at) = digits.chars().position(|digit| !digit.is_ascii_hexdigit()) {
            return Err(AddressError::NotHex { position: at + 3 });
        }
        let mut bytes = [0u8; 20];
        alloy_primitives::hex::decode_to_slice(digits, &mut bytes)
            .expect("forty hexadecimal digits are twenty bytes");
        let address = Self::from_bytes(bytes);
        let has = |case: fn(&u8) -> bool| digits.as_bytes().iter().any(case);
        let mixed = has(u8::is_ascii_lowercase) && has(u8::is_ascii_uppercase);
        if mixed && address.to_string() != text {
            return Err(AddressError::ChecksumWrong);
        }
        Ok(address)
    }

    /// Refuses addresses that exist but that nobody can spend from.
    pub fn check_payee(self) -> Result<(), PayeeError> {
        let bytes = self.0.as_slice();
        if self.0.is_zero() {
            Err(PayeeError::Zero)
        } else if BURN.contains(&self.0) {
            Err(PayeeError::Burn)
        } else if bytes[..18].iter().all(|byte| *byte == 0) {
            // Precompiled contracts lie below 0x100 on Ethereum, and up to two bytes on other chains.
            Err(PayeeError::Reserved)
        } else {
            Ok(())
        }
    }

    pub(crate) const fn from_alloy(address: Address) -> Self {
        Self(address)
    }

    pub(crate) const fn alloy(self) -> Address {
        self.0
    }
}

impl fmt::Display for EvmAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.to_checksum(None))
    }
}

impl fmt::Debug for EvmAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for EvmAddress {
    type Err = AddressError;
    fn from_str(text: &str) -> Result<Self, AddressError> {
        Self::parse(text)
    }
}

impl Serialize for EvmAddress {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for EvmAddress {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
        Self::parse(&text).map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The vectors of EIP-55.
    const VECTORS: [&str; 8] = [
        "0x52908400098527886E0F7030069857D2E4169EE7",
        "0x8617E340B3D01FA5F11F306F4090FD50E238070D",
        "0xde709f2102306220921060314715629080e2fb77",
        "0x27b1fdb04752bbc536007a920d24acb045561c26",
        "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed",
        "0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359",
        "0xdbF03B407c01E7cD3CBea99509d93f8DDDC8C6FB",
        "0xD1220A0cf47c7B9Be7A2E6BA89F429762e7b9aDb",
    ];

    #[test]
    fn h039_the_vectors_of_eip_55_are_read_and_written_alike() {
        for text in VECTORS {
            assert_eq!(EvmAddress::parse(text).unwrap().to_string(), text);
            let digits = &text[2..];
            let (lower, upper) = (digits.to_lowercase(), digits.to_uppercase());
            assert_eq!(EvmAddress::parse(&format!("0x{lower}")), EvmAddress::parse(text));
            assert_eq!(EvmAddress::parse(&format!("0x{upper}")), EvmAddress::parse(text));
        }
    }

    #[test]
    fn h039_a_refusal_names_the_reason() {
        let cases = [
            ("", AddressError::NoPrefix),
            ("5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed", AddressError::NoPrefix),
            (
                "0X5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed",
                AddressError::NoPrefix,
            ),
            (
                " 0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed",
                AddressError::NoPrefix,
            ),
            (
                "bc1qar0srrr7xfkvy5l643lydnw9re59gtzzwf5mdq",
                AddressError::NoPrefix,
            ),
            ("0x", AddressError::WrongLength { got: 0 }),
            (
                "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAe",
                AddressError::WrongLength { got: 39 },
            ),
            (
                "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed ",
                AddressError::WrongLength { got: 41 },
            ),
            (
                "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAeg",
                AddressError::NotHex { position: 42 },
            ),
            (
                "0xO2908400098527886E0F7030069857D2E4169EE7",
                AddressError::NotHex { position: 3 },
            ),
            (
                "0x５2908400098527886E0F7030069857D2E4169EE7",
                AddressError::NotHex { position: 3 },
            ),
            (
                "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAeD",
                AddressError::ChecksumWrong,
            ),
            (
                "0x5aaeb6053F3E94C9b9A09f33669435E7Ef1BeAed",
                AddressError::ChecksumWrong,
            ),
        ];
        for (text, reason) in cases {
            assert_eq!(EvmAddress::parse(text), Err(reason), "{text:?}");
        }
    }

    #[test]
    fn addresses_without_an_owner_are_no_payees() {
        let check = |text: &str| EvmAddress::parse(text).unwrap().check_payee();
        assert_eq!(
            check("0x0000000000000000000000000000000000000000"),
            Err(PayeeError::Zero)
        );
        assert_eq!(
            check("0x000000000000000000000000000000000000dEaD"),
            Err(PayeeError::Burn)
        );
        assert_eq!(
            check("0xffffffffffffffffffffffffffffffffffffffff"),
            Err(PayeeError::Burn)
        );
        assert_eq!(
            check("0x0000000000000000000000000000000000000001"),
            Err(PayeeError::Reserved)
        );
        assert_eq!(
            check("0x0000000000000000000000000000000000000100"),
            Err(PayeeError::Reserved)
        );
        assert_eq!(check(VECTORS[0]), Ok(()));
    }

    proptest! {
        #[test]
        fn text_and_bytes_are_inverse(bytes in any::<[u8; 20]>()) {
            let address = EvmAddress::from_bytes(bytes);
            prop_assert_eq!(EvmAddress::parse(&address.to_string()), Ok(address));
            prop_assert_eq!(address.bytes(), bytes);
        }

        #[test]
        fn one_wrong_case_is_found(bytes in any::<[u8; 20]>(), place in 2usize..42) {
            let text = EvmAddress::from_bytes(bytes).to_string();
            let mut wrong = text.clone().into_bytes();
            wrong[place] ^= 0x20;
            let wrong = String::from_utf8(wrong).unwrap();
            let uniform = wrong[2..] == wrong[2..].to_lowercase() || wrong[2..] == wrong[2..].to_uppercase();
            if text.as_bytes()[place].is_ascii_alphabetic() && !uniform {
                prop_assert_eq!(EvmAddress::parse(&wrong), Err(AddressError::ChecksumWrong));
            }
        }

        #[test]
        fn no_text_makes_it_panic(text in "\\PC{0,60}") {
            let _ = EvmAddress::parse(&text);
            let _ = EvmAddress::parse(&format!("0x{text}"));
        }
    }
}
