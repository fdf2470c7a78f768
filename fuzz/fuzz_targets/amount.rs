//! Amounts as people write them: what is read is written back as the same amount, in one form only.

#![no_main]

use ferrex_money::{Decimals, format, parse};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    // The number of places, then the text.
    let Some((places, text)) = data.split_first() else {
        return;
    };
    let (Ok(decimals), Ok(text)) = (Decimals::try_new(places % 31), std::str::from_utf8(text)) else {
        return;
    };
    let Ok(amount) = parse(text, decimals) else { return };
    let written = format(amount, decimals);
    assert_eq!(parse(&written, decimals), Ok(amount));
    assert_eq!(format(parse(&written, decimals).unwrap(), decimals), written);
});
