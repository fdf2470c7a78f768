use mail_parser::{MessageParser, PartType};

use super::{MailCatcher, Mailbox};

/// A message that was received.
#[derive(Clone, Debug)]
pub struct Mail {
    /// Counts from 1 in the order of arrival.
    pub number: u64,
    /// Who sent it, from the envelope.
    pub from: String,
    /// Who gets it, from the envelope.
    pub to: Vec<String>,
    /// Its subject, decoded.
    pub subject: String,
    /// Its date as the sender wrote it, RFC 3339.
    pub date: String,
    /// The part for text programs, decoded.
    pub text: Option<String>,
    /// The part in HTML, decoded.
    pub html: Option<String>,
    /// All of it as it came.
    pub raw: Vec<u8>,
}

impl Mail {
    /// Whether the subject or the text contains `words`.
    pub fn contains(&self, words: &str) -> bool {
        self.subject.contains(words) || self.text.as_deref().is_some_and(|text| text.contains(words))
    }

    /// A header of the message as it came, without its name.
    pub fn header(&self, name: &str) -> Option<String> {
        let message = MessageParser::default().parse(&self.raw)?;
        message.header_raw(name).map(|value| value.trim().to_owned())
    }

    /// The first address of a web page in the text.
    pub fn link(&self) -> Option<&str> {
        let text = self.text.as_deref()?;
        let start = text.find("https://").or_else(|| text.find("http://"))?;
        let link = &text[start..];
        Some(
            link.split(|c: char| c.is_whitespace() || c == '>')
                .next()
                .unwrap_or(link),
        )
    }

    /// The first run of exactly `length` digits in the text that stands alone, as codes do.
    pub fn code(&self, length: usize) -> Option<&str> {
        let words = self.text.as_deref()?.split(|c: char| !c.is_ascii_alphanumeric());
        words
            .into_iter()
            .find(|word| word.len() == length && word.bytes().all(|byte| byte.is_ascii_digit()))
    }
}

impl Mailbox {
    pub(crate) fn keep(&mut self, from: String, to: Vec<String>, raw: Vec<u8>) {
        self.taken += 1;
        let mut mail = Mail {
            number: self.taken,
            from,
            to,
            subject: String::new(),
            date: String::new(),
            text: None,
            html: None,
            raw: Vec::new(),
        };
        if let Some(message) = MessageParser::default().parse(&raw) {
            message
                .subject()
                .unwrap_or_default()
                .clone_into(&mut mail.subject);
            mail.date = message
                .date()
                .map(mail_parser::DateTime::to_rfc3339)
                .unwrap_or_default();
            // Only parts that are there: the parser would otherwise make one out of the other.
            for part in &message.parts {
                match &part.body {
                    PartType::Text(text) if mail.text.is_none() => mail.text = Some(text.to_string()),
                    PartType::Html(html) if mail.html.is_none() => mail.html = Some(html.to_string()),
                    _ => {}
                }
            }
        }
        mail.raw = raw;
        self.mails.push(mail);
        if self.mails.len() > MailCatcher::KEPT {
            self.mails.remove(0);
        }
    }
}
