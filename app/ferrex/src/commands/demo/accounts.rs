//! Each person's money explained: what came in, what was traded, what it cost, and that nothing else happened.

use std::cell::Cell;

use anyhow::{Context as _, ensure};
use serde_json::Value;

use super::floor::Trader;
use super::world::World;

/// An asset of the demo.
#[derive(Clone, Copy)]
pub struct Unit {
    symbol: &'static str,
    decimals: u32,
}

/// The coin.
pub const ETH: Unit = Unit {
    symbol: "ETH",
    decimals: 18,
};
/// The token.
pub const TST: Unit = Unit {
    symbol: "TST",
    decimals: 6,
};

impl Unit {
    /// Smallest units of one whole.
    pub const fn one(self) -> u128 {
        10_u128.pow(self.decimals)
    }

    /// A decimal text in smallest units.
    fn read(self, text: &Value) -> anyhow::Result<i128> {
        let text = text
            .as_str()
            .with_context(|| format!("an amount is a text, not {text}"))?;
        let (sign, digits) = text.strip_prefix('-').map_or((1, text), |digits| (-1, digits));
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
        let places = usize::try_from(self.decimals)?;
        ensure!(
            fraction.len() <= places,
            "{text} has more than {places} decimal places"
        );
        let digits = format!("{whole}{fraction:0<places$}");
        Ok(sign
            * digits
                .parse::<i128>()
                .with_context(|| format!("reading {text}"))?)
    }

    /// Smallest units as people read them.
    fn show(self, units: i128) -> String {
        let one = self.one();
        let (whole, rest) = (units.unsigned_abs() / one, units.unsigned_abs() % one);
        let places = usize::try_from(self.decimals).unwrap_or(0);
        let fraction = format!("{rest:0>places$}");
        let sign = if units < 0 { "-" } else { "" };
        let text = format!("{sign}{whole}.{}", fraction.trim_end_matches('0'));
        text.trim_end_matches('.').to_owned()
    }
}

/// What happened to one person's money in one asset.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Account {
    deposits: i128,
    transfers: i128,
    bought: i128,
    sold: i128,
    fees: i128,
    closing: i128,
}

impl Account {
    /// What there should be; people of the demo begin with nothing.
    const fn expected(&self) -> i128 {
        self.deposits + self.transfers + self.bought - self.sold - self.fees
    }
}

/// Prints the table, and fails when a unit is not explained.
pub async fn explain(world: &World, traders: &[&Trader]) -> anyhow::Result<()> {
    println!(
        "  {:14} {:4} {:>7} {:>22} {:>22} {:>22} {:>22} {:>22} {:>22}",
        "person", "", "opening", "deposits", "transfers", "bought", "sold", "fees", "closing"
    );
    let mut totals = [Account::default(); 2];
    for trader in traders {
        for (unit, total) in [ETH, TST].into_iter().zip(&mut totals) {
            // Read models follow the engine; in the end they say the same.
            let what = format!("{}'s {} to be explained", trader.person.name, unit.symbol);
            let seen = Cell::new(None);
            let account = world
                .wait_for(&what, async || {
                    let (account, told) = (account(trader, unit).await?, history(trader, unit).await?);
                    seen.set(Some((account, told)));
                    let is_explained =
                        account.expected() == account.closing && told == (account.closing, account.fees);
                    Ok(is_explained.then_some(account))
                })
                .await;
            let account =
                account.with_context(|| format!("account, sum and fees of history: {:?}", seen.get()))?;
            println!(
                "  {:14} {:4} {:>7} {:>22} {:>22} {:>22} {:>22} {:>22} {:>22}",
                trader.person.name,
                unit.symbol,
                0,
                unit.show(account.deposits),
                unit.show(account.transfers),
                unit.show(account.bought),
                unit.show(-account.sold),
                unit.show(-account.fees),
                unit.show(account.closing)
            );
            total.deposits += account.deposits;
            total.transfers += account.transfers;
            total.bought += account.bought;
            total.sold += account.sold;
            total.fees += account.fees;
            total.closing += account.closing;
        }
    }
    for (unit, total) in [ETH, TST].into_iter().zip(totals) {
        ensure!(
            total.bought == total.sold && total.transfers == 0 && total.bought > 0 && total.fees > 0,
            "what one gave another got, in {}: {total:?}",
            unit.symbol
        );
        world.saw(format!(
            "{}: {} were paid in, {} are there, {} went to the house as fees; what was bought was sold, {}",
            unit.symbol,
            unit.show(total.deposits),
            unit.show(total.closing),
            unit.show(total.fees),
            unit.show(total.bought)
        ));
    }
    world.saw("each person's money is explained to the last unit, by their trades and by their history");
    Ok(())
}

/// What deposits, history and trades say, and what the balance is.
async fn account(trader: &Trader, unit: Unit) -> anyhow::Result<Account> {
    let mut account = Account::default();
    let of = |item: &&Value| item["asset"] == unit.symbol;
    for deposit in trader.all("/v1/deposits").await?.iter().filter(of) {
        ensure!(
            deposit["status"] == "credited",
            "every deposit was credited: {deposit}"
        );
        account.deposits += unit.read(&deposit["amount"])?;
    }
    for line in trader.all("/v1/history").await?.iter().filter(of) {
        if line["transfer"].is_string() {
            account.transfers += unit.read(&line["change"])?;
        }
    }
    for trade in trader.all("/v1/trades").await? {
        let is_buy = trade["side"] == "buy";
        // The base asset is ETH: a buy brings it and costs TST.
        let (brings, amount) = match unit.symbol {
            "ETH" => (is_buy, &trade["quantity"]),
            _ => (!is_buy, &trade["value"]),
        };
        let amount = unit.read(amount)?;
        if brings {
            account.bought += amount;
        } else {
            account.sold += amount;
        }
        if trade["fee_asset"] == unit.symbol {
            account.fees += unit.read(&trade["fee"])?;
        }
    }
    let balance = trader.person.balance(unit.symbol).await?;
    if !balance.is_null() {
        ensure!(
            balance["held"] == "0",
            "nothing is held when all orders are cancelled: {balance}"
        );
        account.closing = unit.read(&balance["available"])?;
    }
    Ok(account)
}

/// What the lines of a person's history add up to: the balance, and the fees of trades.
async fn history(trader: &Trader, unit: Unit) -> anyhow::Result<(i128, i128)> {
    let (mut sum, mut fees) = (0, 0);
    for line in trader.all("/v1/history").await? {
        if line["asset"] != unit.symbol {
            continue;
        }
        sum += unit.read(&line["change"])?;
        if line["kind"] == "trade" && line["fee"].is_string() {
            fees += unit.read(&line["fee"])?;
        }
    }
    Ok((sum, fees))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn amounts_are_read_and_shown_to_the_last_unit() {
        for (text, units) in [
            ("0", 0),
            ("1", 1_000_000),
            ("-0.5", -500_000),
            ("3000.000001", 3_000_000_001),
        ] {
            assert_eq!(TST.read(&json!(text)).unwrap(), units, "{text}");
            assert_eq!(TST.show(units), text);
        }
        assert!(TST.read(&json!("0.0000001")).is_err());
    }
}
