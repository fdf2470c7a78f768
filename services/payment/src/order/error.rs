use ferrex_engine_core::Refusal;
use ferrex_fault::{Classify, FieldFault, Kind};

use crate::market::Market;

/// Why an order is not placed, or not cancelled.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It is not there, or somebody else's.
    #[error("there is no such order")]
    NotFound,
    /// A field is wrong.
    #[error("{message}")]
    Field {
        /// Stable code.
        code: &'static str,
        /// Which field.
        field: &'static str,
        /// What is wrong and what is allowed.
        message: String,
    },
    /// Staff stopped the person's money.
    #[error("money cannot move in this account at present; please contact support")]
    Frozen,
    /// A reversed deposit has not been made good.
    #[error("a deposit that vanished from its chain is still owed; deposit the difference first")]
    Owing,
    /// An open order has this name.
    #[error("one of your open orders has this client_order_id")]
    ClientIdTaken,
    /// The process is about to end.
    #[error("this process is stopping; ask again under the same key")]
    Stopping,
    /// It is finished.
    #[error("the order is not open any more, it is {0}")]
    NotOpen(String),
    /// The engine refuses it.
    #[error("{message}")]
    Refused {
        /// Why.
        refusal: Refusal,
        /// What is allowed.
        message: String,
    },
}

impl Error {
    pub(super) fn field(code: &'static str, field: &'static str, message: impl Into<String>) -> Self {
        Self::Field {
            code,
            field,
            message: message.into(),
        }
    }

    /// No market has this symbol.
    pub(super) fn market_unknown() -> Self {
        Self::field(
            "payment.market.unknown",
            "market",
            "there is no market of this symbol",
        )
    }

    /// A refusal of cancelling all orders of a market.
    pub(super) fn stays(refusal: Refusal, market: &Market) -> Self {
        let message = format!("orders in {} stay: {refusal}", market.symbol);
        Self::Refused { refusal, message }
    }

    /// A refusal with what the market allows.
    pub(super) fn refused(refusal: Refusal, market: &Market) -> Self {
        let terms = &market.terms;
        let (base, quote) = (&market.base_symbol, &market.quote_symbol);
        let message = match refusal {
            Refusal::OffTick => format!("a price is a multiple of {} {quote}", market.quote(terms.tick)),
            Refusal::OffLot => format!("a quantity is a multiple of {} {base}", market.base(terms.lot)),
            Refusal::TooSmall => format!(
                "an order is for at least {} {base} and worth at least {} {quote}",
                market.base(terms.quantity_min),
                market.quote(terms.value_min)
            ),
            Refusal::TooLarge => format!(
                "an order is for at most {} {base}, at a price of at most {} {quote}",
                market.base(terms.quantity_max),
                market.quote(terms.price_max)
            ),
            Refusal::PriceOutsideBand => format!(
                "a price lies within {} millionths of the last trade's",
                terms.band_ppm
            ),
            Refusal::TooManyOpenOrders => {
                format!(
                    "a person has at most {} open orders in a market",
                    terms.open_orders_max
                )
            }
            Refusal::IdReused => "the order was given up before the market took it".to_owned(),
            other => other.to_string(),
        };
        Self::Refused { refusal, message }
    }
}

/// Stable code and field of a refusal.
const fn of(refusal: Refusal) -> (Kind, &'static str, Option<&'static str>) {
    use Kind::{Conflict, Exhausted, Invalid};
    match refusal {
        Refusal::InsufficientAvailable => (Conflict, "payment.insufficient_available", Some("quantity")),
        Refusal::MarketUnknown => (Conflict, "payment.order.market_unknown", Some("market")),
        Refusal::MarketExists => (Conflict, "payment.order.market_exists", None),
        Refusal::Halted => (Conflict, "payment.order.halted", None),
        Refusal::CancelOnly => (Conflict, "payment.order.cancel_only", None),
        Refusal::NotInAuction => (Conflict, "payment.order.not_in_auction", None),
        Refusal::OffTick => (Invalid, "payment.order.off_tick", Some("price")),
        Refusal::OffLot => (Invalid, "payment.order.off_lot", Some("quantity")),
        Refusal::TooSmall => (Invalid, "payment.order.too_small", Some("quantity")),
        Refusal::TooLarge => (Invalid, "payment.order.too_large", Some("quantity")),
        Refusal::PriceOutsideBand => (Conflict, "payment.order.price_outside_band", Some("price")),
        Refusal::TooManyOpenOrders => (Exhausted, "payment.order.too_many_open", None),
        Refusal::WouldTake => (Conflict, "payment.order.would_take", Some("price")),
        Refusal::NotFillable => (Conflict, "payment.order.not_fillable", None),
        Refusal::NoLiquidity => (Conflict, "payment.order.no_liquidity", None),
        Refusal::SelfTrade => (Conflict, "payment.order.self_trade", None),
        Refusal::OrderUnknown => (Conflict, "payment.order.not_open", None),
        Refusal::ClientIdTaken => (Conflict, "payment.order.client_id_taken", Some("client_order_id")),
        Refusal::OrderWaits => (Conflict, "payment.order.waits", None),
        Refusal::NothingToDo => (Conflict, "payment.order.nothing_to_do", None),
        Refusal::ExpiryPast => (Invalid, "payment.order.expiry_past", Some("expires_at")),
        Refusal::OrderShape => (Invalid, "payment.order.shape", None),
        Refusal::IdReused => (Conflict, "payment.order.lapsed", None),
        _ => (Conflict, "payment.order.refused", None),
    }
}

impl Classify for Error {
    fn kind(&self) -> Kind {
        match self {
            Self::NotFound => Kind::NotFound,
            Self::Field { .. } => Kind::Invalid,
            Self::Frozen => Kind::Forbidden,
            Self::Owing | Self::ClientIdTaken | Self::NotOpen(_) => Kind::Conflict,
            Self::Stopping => Kind::Unavailable,
            Self::Refused { refusal, .. } => of(*refusal).0,
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::NotFound => "payment.order.not_found",
            Self::Field { code, .. } => code,
            Self::Frozen => "payment.account.frozen",
            Self::Owing => "payment.account.owing",
            Self::ClientIdTaken => "payment.order.client_id_taken",
            Self::NotOpen(_) => "payment.order.not_open",
            Self::Stopping => "payment.order.stopping",
            Self::Refused { refusal, .. } => of(*refusal).1,
        }
    }

    fn fields(&self) -> Vec<FieldFault> {
        let field = match self {
            Self::Field { field, .. } => Some(*field),
            Self::ClientIdTaken => Some("client_order_id"),
            Self::Refused { refusal, .. } => of(*refusal).2,
            _ => None,
        };
        let fault = |field: &str| FieldFault {
            field: field.to_owned(),
            message: self.to_string(),
        };
        field.map(fault).into_iter().collect()
    }
}
