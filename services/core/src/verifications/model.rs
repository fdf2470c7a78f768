use chrono::NaiveDate;
use ferrex_ids::{UserId, VerificationId};
use ferrex_time::Timestamp;
use uuid::Uuid;

use super::country::CODES;
use super::{ProviderEvent, Verdict};

/// The level that a submission asks for.
pub(super) const LEVEL: i16 = 1;
/// Edition of what that level checks (H090): 1 is name, birth date and country.
pub(super) const LEVEL_VERSION: i16 = 1;
const AGE_MIN: u32 = 18;
const AGE_MAX: u32 = 120;

/// A name as it stands in a document.
#[derive(Clone, PartialEq, Eq)]
pub struct LegalName(String);

impl LegalName {
    /// Reads a name; spaces are folded.
    pub fn parse(text: &str) -> Result<Self, String> {
        let name = text.split_whitespace().collect::<Vec<_>>().join(" ");
        if !(2..=100).contains(&name.chars().count()) {
            return Err("the name as in your document has 2 to 100 characters".to_owned());
        }
        // Combining accents follow the letter they belong to.
        let is_mark = |letter: char| ('\u{300}'..='\u{36f}').contains(&letter);
        let allowed = |letter: char| {
            letter.is_alphabetic() || is_mark(letter) || " -'\u{2019}.,\u{b7}".contains(letter)
        };
        match name.chars().find(|letter| !allowed(*letter)) {
            Some(letter) => Err(format!(
                "{letter:?} is not allowed in a name; letters, spaces and -'., are"
            )),
            None if !name.chars().any(char::is_alphabetic) => Err("a name has letters".to_owned()),
            None => Ok(Self(name)),
        }
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The birth date of a grown-up.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct BirthDate(NaiveDate);

impl BirthDate {
    /// Reads `YYYY-MM-DD`; the person must be 18 to 120 years old on `today`.
    pub fn parse(text: &str, today: NaiveDate) -> Result<Self, String> {
        let form = text.len() == 10
            && text.bytes().enumerate().all(|(place, byte)| match place {
                4 | 7 => byte == b'-',
                _ => byte.is_ascii_digit(),
            });
        let date = Some(text)
            .filter(|_| form)
            .and_then(|text| NaiveDate::parse_from_str(text, "%Y-%m-%d").ok());
        let date = date.ok_or("a birth date is a day of the calendar written as YYYY-MM-DD")?;
        match today.years_since(date) {
            None => Err("the birth date lies in the future".to_owned()),
            Some(..AGE_MIN) => Err(format!("you must be at least {AGE_MIN} years old")),
            Some(AGE_MIN..=AGE_MAX) => Ok(Self(date)),
            Some(_) => Err(format!("the birth date lies more than {AGE_MAX} years ago")),
        }
    }

    /// The day.
    pub fn date(self) -> NaiveDate {
        self.0
    }
}

/// A country of ISO 3166-1.
#[derive(Clone, PartialEq, Eq)]
pub struct Country(String);

impl Country {
    /// Reads an alpha-2 code, in any case.
    pub fn parse(text: &str) -> Result<Self, String> {
        let code = text.to_ascii_uppercase();
        let known = code.len() == 2 && CODES.split(' ').any(|known| known == code);
        known
            .then_some(Self(code))
            .ok_or_else(|| "give the two-letter code of ISO 3166-1, such as DE or BR".to_owned())
    }

    /// The code in capital letters.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// What a person submits. It has no `Debug`, so that it cannot reach a log.
pub struct Submission {
    /// Name as in the document.
    pub legal_name: LegalName,
    /// Date of birth.
    pub birth_date: BirthDate,
    /// Country.
    pub country: Country,
}

/// Where a submission stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, sqlx::Type)]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub enum State {
    /// It waits.
    Submitted,
    /// The level was granted.
    Approved,
    /// It was refused.
    Rejected,
}

/// A submission as it is stored.
#[derive(Clone, sqlx::FromRow)]
pub struct Verification {
    /// Which, as the column holds it; see [`Self::id`].
    pub id: Uuid,
    /// Whose, as the column holds it; see [`Self::user`].
    pub user_id: Uuid,
    /// For which level.
    pub level: i16,
    /// Where it stands.
    pub state: State,
    /// Name as in the document.
    pub legal_name: String,
    /// Date of birth.
    pub birth_date: NaiveDate,
    /// Country.
    pub country: String,
    /// Why it was rejected.
    pub rejected_because: Option<String>,
    /// Staff who decided.
    pub decided_by: Option<Uuid>,
    /// The provider's id of the case, once it decided.
    pub applicant: Option<String>,
    /// The newest decision of the provider that was heeded.
    pub applicant_version: Option<i64>,
    /// When it was submitted.
    pub submitted_at: Timestamp,
    /// When it was decided.
    pub decided_at: Option<Timestamp>,
}

impl Verification {
    /// Which.
    pub fn id(&self) -> VerificationId {
        VerificationId::from_uuid(self.id)
    }

    /// Whose.
    pub fn user(&self) -> UserId {
        UserId::from_uuid(self.user_id)
    }

    /// What a decision of the provider depends on.
    pub(super) fn standing(&self, is_latest: bool) -> Standing {
        Standing {
            state: self.state,
            by_staff: self.decided_by.is_some(),
            heeded: self.applicant.clone().zip(self.applicant_version),
            is_latest,
        }
    }
}

/// What a decision of the provider depends on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Where the submission stands.
    pub state: State,
    /// Whether staff decided.
    pub by_staff: bool,
    /// The case at the provider and the newest decision about it that was heeded.
    pub heeded: Option<(String, i64)>,
    /// Whether the person submitted nothing since.
    pub is_latest: bool,
}

/// What a decision of the provider leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ruling {
    /// The level is granted.
    Approve,
    /// The submission is rejected.
    Reject,
    /// Newer, but it changes nothing.
    Note,
    /// It takes back an approval: the level stays, and a person has to look.
    Contest,
    /// Older than what was heeded, or about a case or submission that is closed.
    Ignore,
}

impl Standing {
    /// Judges a decision of the provider.
    pub fn judge(&self, event: &ProviderEvent) -> Ruling {
        let is_news = self.heeded.as_ref().is_none_or(|(applicant, version)| {
            *applicant == event.applicant && i64::from(event.version) > *version
        });
        if !self.is_latest || !is_news {
            return Ruling::Ignore;
        }
        let approved = matches!(event.verdict, Verdict::Approved);
        match self.state {
            State::Rejected if self.by_staff => Ruling::Ignore,
            State::Approved if approved => Ruling::Note,
            State::Approved => Ruling::Contest,
            State::Submitted | State::Rejected if approved => Ruling::Approve,
            State::Submitted => Ruling::Reject,
            State::Rejected => Ruling::Note,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(version: u32, approved: bool) -> ProviderEvent {
        let verdict = if approved {
            Verdict::Approved
        } else {
            Verdict::Rejected("no".into())
        };
        ProviderEvent {
            verification: VerificationId::new_at(1),
            applicant: "app_1".into(),
            version,
            verdict,
        }
    }

    fn standing(state: State) -> Standing {
        Standing {
            state,
            by_staff: false,
            heeded: Some(("app_1".into(), 10)),
            is_latest: true,
        }
    }

    #[test]
    fn h063_older_and_equal_decisions_change_nothing() {
        for state in [State::Submitted, State::Approved, State::Rejected] {
            for version in [1, 10] {
                assert_eq!(standing(state).judge(&event(version, true)), Ruling::Ignore);
                assert_eq!(standing(state).judge(&event(version, false)), Ruling::Ignore);
            }
        }
    }

    #[test]
    fn h089_an_approval_is_never_downgraded() {
        assert_eq!(
            standing(State::Approved).judge(&event(11, false)),
            Ruling::Contest
        );
        assert_eq!(standing(State::Approved).judge(&event(11, true)), Ruling::Note);
    }

    #[test]
    fn h089_another_case_and_an_older_submission_are_closed() {
        let closed = Standing {
            is_latest: false,
            ..standing(State::Submitted)
        };
        assert_eq!(closed.judge(&event(11, true)), Ruling::Ignore);
        let other = ProviderEvent {
            applicant: "app_2".into(),
            ..event(11, true)
        };
        assert_eq!(standing(State::Submitted).judge(&other), Ruling::Ignore);
        let first = Standing {
            heeded: None,
            ..standing(State::Submitted)
        };
        assert_eq!(first.judge(&other), Ruling::Approve);
    }

    #[test]
    fn a_newer_decision_decides_but_not_against_staff() {
        assert_eq!(
            standing(State::Submitted).judge(&event(11, true)),
            Ruling::Approve
        );
        assert_eq!(
            standing(State::Submitted).judge(&event(11, false)),
            Ruling::Reject
        );
        assert_eq!(standing(State::Rejected).judge(&event(11, true)), Ruling::Approve);
        let by_staff = Standing {
            by_staff: true,
            ..standing(State::Rejected)
        };
        assert_eq!(by_staff.judge(&event(11, true)), Ruling::Ignore);
    }

    #[test]
    fn names_are_taken_as_people_have_them() {
        for name in [
            "Anna Smith",
            "Zoë O’Brien-Núñez",
            "Sun Yat-sen",
            "李 小龙",
            "Nguyễn Văn A",
            "J. R. R. Tolkien",
            "محمد علي",
        ] {
            assert!(LegalName::parse(name).is_ok(), "{name}");
        }
        assert_eq!(
            LegalName::parse("  Anna \t Smith ").unwrap().as_str(),
            "Anna Smith"
        );
        for name in [
            "",
            "A",
            " ",
            "--",
            "<b>Anna</b>",
            "Anna\0Smith",
            "=cmd()",
            "Anna 2",
            &"a".repeat(101),
        ] {
            assert!(LegalName::parse(name).is_err(), "{name:?}");
        }
    }

    #[test]
    fn birth_dates_are_days_of_grown_ups() {
        let today = NaiveDate::from_ymd_opt(2026, 11, 23).unwrap();
        for date in ["2008-11-23", "1906-11-24", "2000-02-29"] {
            assert!(BirthDate::parse(date, today).is_ok(), "{date}");
        }
        for date in [
            "2008-11-24",
            "2026-11-24",
            "1900-01-01",
            "2001-02-29",
            "1990-13-01",
            "1990-00-10",
            "90-01-01",
            "1990-1-1",
            "01.01.1990",
            "1990-01-01T00:00",
            "+199-01-01",
            "１９９０-01-01",
            "",
        ] {
            assert!(BirthDate::parse(date, today).is_err(), "{date}");
        }
    }

    #[test]
    fn countries_are_those_of_the_list() {
        assert_eq!(Country::parse("de").unwrap().as_str(), "DE");
        for code in ["", "D", "DEU", "XX", "EU", "UK", "D ", "D E", "ÄÖ"] {
            assert!(Country::parse(code).is_err(), "{code:?}");
        }
    }
}
