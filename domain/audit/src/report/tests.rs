use super::*;

fn report() -> Report {
    Report {
        rows: 7,
        commands: 6,
        refused: 1,
        accounts: 5,
        assets: 2,
        open_holds: 3,
        projected: 4,
        ..Report::default()
    }
}

#[test]
fn a_clean_report_says_what_was_seen_and_what_holds() {
    assert_eq!(
        report().to_string(),
        "7 rows of 6 commands (1 refused), 5 accounts of 2 assets, 3 open holds, projection compared at row 4\n\
         I01 I02 I03 I05 I06 I10 hold"
    );
}

#[test]
fn a_report_lists_its_findings_and_counts_those_not_kept() {
    let finding = |invariant, asset, detail: &str| Finding {
        invariant,
        asset,
        detail: detail.to_owned(),
    };
    let report = Report {
        findings: vec![
            finding(Invariant::I05, Some(1), "account 2 is overdrawn by row 3"),
            finding(Invariant::I10, None, "row 6 follows row 4"),
        ],
        found: 3,
        ..report()
    };
    assert_eq!(
        report.to_string(),
        "7 rows of 6 commands (1 refused), 5 accounts of 2 assets, 3 open holds, projection compared at row 4\n\
         3 findings\n\
         I05: account 2 is overdrawn by row 3\n\
         I10: row 6 follows row 4"
    );
}
