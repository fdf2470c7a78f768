//! How a code or a link is answered: `id` and `code`, or `token`.

use ferrex_ids::ChallengeId;

use crate::challenges::Presented;
use crate::input::Checks;

/// Reads the three fields, of which either two or one must be there.
pub(super) fn read(
    checks: &mut Checks,
    id: Option<&str>,
    code: Option<&str>,
    token: Option<&str>,
) -> Option<Presented> {
    match (id, code, token) {
        (None, None, Some(token)) => Some(Presented::token(token)),
        (Some(id), Some(code), None) => {
            let id = checks.take("id", id.parse::<ChallengeId>())?;
            Some(Presented::code(id, code))
        }
        (_, _, Some(_)) => {
            checks.refuse("token", "give either `token`, or `id` and `code`");
            None
        }
        (None, _, None) => {
            checks.refuse(
                "id",
                "give `id` and `code` of the request, or `token` of the link",
            );
            None
        }
        (Some(_), None, None) => {
            checks.refuse("code", "give the 8 digits of the mail");
            None
        }
    }
}
