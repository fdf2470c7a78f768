use super::*;

#[test]
fn an_amount_is_read_from_digits_and_shown_as_digits() {
    for text in ["", "-1", "1.0", "1e3", "NaN", " 1"] {
        assert_eq!(Units::parse(text), None, "{text}");
    }
    let max = "115792089237316195423570985008687907853269984665640564039457584007913129639935";
    for text in ["0", "1200", max] {
        let read = Units::parse(text).map(|units| units.to_string());
        assert_eq!(read.as_deref(), Some(text));
    }
    assert_eq!(Units::parse(&max.replace("935", "936")), None);
}
