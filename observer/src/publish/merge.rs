//! The command by which a person approves all that a branch offers: one signed merge that names each proposal.

use super::repository::Branch;
use std::fmt::Write as _;

/// Names that are written out in the command; a forge takes no longer text than about this many.
const WRITTEN_OUT: usize = 300;

/// Commands for a POSIX shell in an up-to-date clone of the sibling repository, without the fences around them; `None`
/// without a commit. They name the commit by its id, never a branch: what is merged is what was looked at.
///
/// `main` is the short name of the branch into which people merge.
pub(super) fn merge_command(branch: &Branch, main: &str) -> Option<String> {
    let tip = branch.tip?;
    let what = match &branch.holds[..] {
        [] => return None,
        [(runner, _)] => format!("Approve {runner}"),
        many => format!("Approve {} proposals", many.len()),
    };
    let main = quoted(main);
    let mut text =
        format!("git fetch origin \\\n  && git switch {main} \\\n  && git merge --ff-only origin/{main} \\\n");
    if branch.holds.len() <= WRITTEN_OUT {
        let lines: Vec<String> =
            branch.holds.iter().map(|(runner, id)| format!("Countersign-Approves: {runner} sha256:{id}")).collect();
        let _ = writeln!(text, "  && git merge --no-ff -S -m '{what}' -m '{}' {tip} \\", lines.join("\n"));
    } else {
        // The commit's own message names what it brings, and the commit is named by its id.
        let _ = writeln!(
            text,
            "  && {{ echo '{what}'; echo; git show --no-patch --format=%B {tip} \\\n\
             \x20      | sed -n 's/^Proposes: /Countersign-Approves: /p'; }} \\\n\
             \x20    | git merge --no-ff -S -F /dev/stdin {tip} \\"
        );
    }
    let _ = writeln!(text, "  && git push origin {main}");
    Some(text)
}

/// git allows more in the name of a branch than a shell takes as it is.
fn quoted(name: &str) -> String {
    let plain = name.chars().all(|c| c.is_ascii_alphanumeric() || "._/-".contains(c));
    if plain { name.to_owned() } else { format!("'{}'", name.replace('\'', r"'\''")) }
}
