//! Values from outside, made harmless: what they hold is shown, and does nothing.

/// Written by strangers: shown, but neither a link nor long.
const WRITTEN_BY_STRANGERS: [&str; 6] = [
    "user_name",
    "from_user_name",
    "to_user_name",
    "note",
    "reason",
    "device",
];

/// Most characters of such a value.
const STRANGE_CHARACTERS_MAX: usize = 200;

/// Most characters of any other value.
const CHARACTERS_MAX: usize = 2_000;

/// A value as it may stand in a mail, or why it may not.
pub(super) fn harmless(key: &str, value: &str) -> Result<String, String> {
    if key == "link" || key.ends_with("_link") {
        return link(key, value);
    }
    let clean = plain(value);
    if WRITTEN_BY_STRANGERS.contains(&key) {
        return Ok(unlinked(&shortened(&clean, STRANGE_CHARACTERS_MAX)));
    }
    if clean.chars().count() > CHARACTERS_MAX {
        return Err(format!(
            "the value \"{key}\" is longer than {CHARACTERS_MAX} characters"
        ));
    }
    Ok(clean)
}

/// One line without characters that are invisible, break lines or turn the direction of writing.
pub(super) fn plain(value: &str) -> String {
    let invisible = |c: char| matches!(c, '\u{200B}'..='\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2060}'..='\u{206F}' | '\u{FEFF}' | '\u{061C}');
    let line_break = |c: char| matches!(c, '\n' | '\r' | '\t' | '\u{2028}' | '\u{2029}' | '\u{85}');
    value
        .chars()
        .filter(|c| !invisible(*c))
        .map(|c| if line_break(c) { ' ' } else { c })
        .filter(|c| !c.is_control())
        .collect()
}

fn shortened(value: &str, most: usize) -> String {
    if value.chars().nth(most).is_none() {
        return value.to_owned();
    }
    value.chars().take(most - 1).chain(std::iter::once('…')).collect()
}

/// Mail programs make links of what looks like one.
fn unlinked(value: &str) -> String {
    value
        .replace("://", "[:]//")
        .replace("www.", "www[.]")
        .replace("WWW.", "WWW[.]")
}

fn link(key: &str, value: &str) -> Result<String, String> {
    let web = value.starts_with("https://") || value.starts_with("http://");
    let clean = value
        .bytes()
        .all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'\'' | b'<' | b'>' | b'\\'));
    if web && clean && value.len() <= CHARACTERS_MAX {
        Ok(value.to_owned())
    } else {
        Err(format!("the value \"{key}\" is not the address of a web page"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn f107_values_of_strangers_do_nothing() {
        let cases = [
            ("a\0b\u{7}c", "abc"),
            ("first\r\nBcc: all@example.org", "first  Bcc: all@example.org"),
            ("abc\u{202E}gpj.exe", "abcgpj.exe"),
            ("in\u{200B}vis\u{FEFF}ible", "invisible"),
            (
                "see https://evil.example and www.evil.example",
                "see https[:]//evil.example and www[.]evil.example",
            ),
        ];
        for (value, shown) in cases {
            assert_eq!(harmless("note", value).unwrap(), shown);
        }
        let megabyte = harmless("user_name", &"é".repeat(1 << 20)).unwrap();
        assert_eq!(megabyte.chars().count(), STRANGE_CHARACTERS_MAX);
        assert!(harmless("code", &"9".repeat(1 << 20)).is_err());
    }

    #[test]
    fn f107_a_link_is_the_address_of_a_page_and_nothing_else() {
        assert!(harmless("link", "https://wallet.example.org/confirm#token=a-b_c").is_ok());
        for bad in [
            "javascript:alert(1)",
            "data:text/html,x",
            "https://a\" onclick=\"x",
            "https://a\nb",
            "",
            "//a",
        ] {
            assert!(harmless("reset_link", bad).is_err(), "{bad}");
        }
    }
}
