use super::RpcError;

/// What the nodes said about a broadcast.
#[derive(Debug)]
pub enum Broadcast {
    /// At least one node took it now.
    Accepted,
    /// No node took it now; at least one has it already.
    AlreadyKnown,
    /// Every node refused it; the reason that says most. A refusal does not mean that it is not mined: look before
    /// doing anything else (H025).
    Refused(Refusal, String),
    /// No node took or knew it, and of at least one the answer is not known: it may be on its way (H021).
    Unknown(RpcError),
}

/// Why a node refuses a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Refusal {
    /// Any other reason.
    Other,
    /// It offers less than the chain or the node asks at present.
    Underpriced,
    /// It would replace another with the same nonce and offers too little more.
    ReplacementUnderpriced,
    /// The payer cannot pay amount and fee.
    InsufficientFunds,
    /// Its nonce is used: it, or another with its nonce, is mined (H027).
    NonceTooLow,
}

/// What one node said.
pub(super) enum Said {
    Accepted,
    Known,
    Refused(Refusal, String),
    Unknown(RpcError),
}

impl Said {
    pub(super) fn from_error(error: RpcError) -> Self {
        match error {
            RpcError::Node { message, code, .. } => {
                let lower = message.to_ascii_lowercase();
                let says = |words: &[&str]| words.iter().any(|words| lower.contains(words));
                if says(&[
                    "already known",
                    "already imported",
                    "known transaction",
                    "already in mempool",
                    "alreadyknown",
                ]) {
                    return Self::Known;
                }
                let refusal = if says(&["nonce too low", "nonce is too low", "oldnonce", "invalid nonce"]) {
                    Refusal::NonceTooLow
                } else if says(&["insufficient funds", "insufficient balance", "insufficientfunds"]) {
                    Refusal::InsufficientFunds
                } else if says(&["replacement"]) {
                    Refusal::ReplacementUnderpriced
                } else if says(&[
                    "underpriced",
                    "fee too low",
                    "less than block base fee",
                    "feetoolow",
                    "fee cap less",
                ]) {
                    Refusal::Underpriced
                } else {
                    Refusal::Other
                };
                Self::Refused(refusal, format!("{message} ({code})"))
            }
            error => Self::Unknown(error),
        }
    }
}

/// One verdict out of what all nodes said (F32): taken beats known, known beats unknown, unknown beats refused.
pub(super) fn verdict(said: Vec<Said>) -> Option<Broadcast> {
    said.into_iter()
        .map(|said| match said {
            Said::Accepted => Broadcast::Accepted,
            Said::Known => Broadcast::AlreadyKnown,
            Said::Unknown(error) => Broadcast::Unknown(error),
            Said::Refused(refusal, message) => Broadcast::Refused(refusal, message),
        })
        .max_by_key(|broadcast| match broadcast {
            Broadcast::Accepted => (3, Refusal::Other),
            Broadcast::AlreadyKnown => (2, Refusal::Other),
            Broadcast::Unknown(_) => (1, Refusal::Other),
            Broadcast::Refused(refusal, _) => (0, *refusal),
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(message: &str) -> Said {
        Said::from_error(RpcError::Node {
            node: "n".to_owned(),
            method: "eth_sendRawTransaction",
            code: -32_000,
            message: message.to_owned(),
        })
    }

    fn silent() -> Said {
        Said::from_error(RpcError::RateLimited {
            node: "n".to_owned(),
            method: "eth_sendRawTransaction",
        })
    }

    #[test]
    fn f032_the_words_of_nodes_are_understood() {
        let refusal = |message| match node(message) {
            Said::Refused(refusal, _) => refusal,
            _ => panic!("{message} was taken for something else"),
        };
        assert!(matches!(node("already known"), Said::Known));
        assert!(matches!(node("Transaction already imported"), Said::Known));
        assert_eq!(
            refusal("nonce too low: next nonce 5, tx nonce 4"),
            Refusal::NonceTooLow
        );
        assert_eq!(
            refusal("insufficient funds for gas * price + value"),
            Refusal::InsufficientFunds
        );
        assert_eq!(
            refusal("replacement transaction underpriced"),
            Refusal::ReplacementUnderpriced
        );
        assert_eq!(refusal("transaction underpriced"), Refusal::Underpriced);
        assert_eq!(
            refusal("max fee per gas less than block base fee"),
            Refusal::Underpriced
        );
        assert_eq!(refusal("the moon is full"), Refusal::Other);
    }

    #[test]
    fn f032_one_node_that_took_it_is_enough() {
        let taken = verdict(vec![
            node("nonce too low"),
            Said::Accepted,
            node("transaction underpriced"),
        ]);
        assert!(matches!(taken, Some(Broadcast::Accepted)));
        let known = verdict(vec![silent(), node("already known"), node("nonce too low")]);
        assert!(matches!(known, Some(Broadcast::AlreadyKnown)));
        let low = verdict(vec![node("transaction underpriced"), node("nonce too low")]);
        assert!(matches!(low, Some(Broadcast::Refused(Refusal::NonceTooLow, _))));
    }

    #[test]
    fn h021_a_silent_node_leaves_the_outcome_unknown() {
        let unknown = verdict(vec![node("transaction underpriced"), silent()]);
        assert!(matches!(unknown, Some(Broadcast::Unknown(_))));
    }
}
