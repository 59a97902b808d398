// SPDX-License-Identifier: GPL-2.0

//! Which of domain 0's grants are mapped, as the hypervisor's debug key `g` prints it.

use anyhow::Result;

use crate::backing::run;

/// The start of what the key prints; older output stays in the log before it.
const HEADING: &str = "gnttab_usage_print_all [";

/// Returns the lines of the hypervisor's report that tell of a mapped grant of domain 0.
pub fn mapped() -> Result<Vec<String>> {
    run("xl", &["debug-keys", "g"])?;
    Ok(parse(&run("xl", &["dmesg"])?))
}

fn parse(log: &str) -> Vec<String> {
    let report = log.rfind(HEADING).map_or("", |start| &log[start..]);
    let mut ours = false;
    let mut lines = Vec::new();
    for line in report.lines() {
        if let Some((_, rest)) = line.split_once("remote d") {
            ours = rest.starts_with("0 ");
        } else if ours && line.contains("[0x") {
            lines.push(line.trim_start_matches("(XEN)").trim().to_owned());
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_last_report_and_domain_0_count() {
        let log = "(XEN) gnttab_usage_print_all [ key 'g' pressed\n\
                   (XEN) grant-table for remote d0 (v1)\n\
                   (XEN) [0x001]      0 0x1 0x00000001          0 0x1 0x19\n\
                   (XEN) gnttab_usage_print_all ] done\n\
                   (XEN) gnttab_usage_print_all [ key 'g' pressed\n\
                   (XEN) no active grant table entries for remote d0\n\
                   (XEN) grant-table for remote d1 (v1)\n\
                   (XEN) [0x002]      0 0x1 0x00000001          0 0x1 0x19\n";
        assert!(parse(log).is_empty());
        assert_eq!(parse(&log[..log.len() / 2]).len(), 1);
    }
}
