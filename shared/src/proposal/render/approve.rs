//! The exact commands to say yes, no, or not all of it.
//!
//! The whole command needs the id of the commit that brings the proposal, and a file cannot hold the id of a commit that
//! holds the file. So the commands find the commit by the proposal's own sha256, and check it, before they merge; the
//! text of the pull request, which is written later, names the same commit.

use super::line;
use crate::proposal::sealed::Sealed;

pub(super) fn section(sealed: &Sealed, out: &mut String) {
    // NOTE: both hold only letters, digits, dots and dashes, so a shell takes them as they are.
    let (id, runner) = (sealed.id(), &sealed.proposal().runner);
    line(
        out,
        format_args!(
            "## Your answer\n\n\
             **Yes**, in a clone of this repository, on an up-to-date `main`:\n\n\
             ```sh\ncountersign approve {id}\n```\n\n\
             The same with git alone, which must sign with your SSH key (`git config gpg.format ssh`):\n\n\
             ```sh\n\
             git fetch origin\n\
             id={id}\n\
             path=proposals/{runner}/$id/proposal.json\n\
             commit=$(git log --remotes=origin --diff-filter=A --format=%H --max-count=1 -- \"$path\")\n\
             test \"$(git show \"$commit:$path\" | sha256sum)\" = \"$id  -\" \\\n\
             \x20 && test \"$(git diff --name-only \"$commit^\" \"$commit\" | wc -l)\" -eq 2 \\\n\
             \x20 && git merge --no-ff -S -m 'Approve {runner}' -m \"Countersign-Approves: {runner} sha256:$id\" \"$commit\" \\\n\
             \x20 && git push origin main\n\
             ```\n\n\
             A file cannot hold the id of the commit that brings it, so these look it up by the proposal's sha256, and \
             go on only if the content is that and the commit brings nothing else. `echo \"$commit\"` must show the id \
             that the pull request gives. A commit that brings proposals of several machines is merged by the command in \
             its pull request, which `countersign-observer publish` prints where there is no forge: it names each of them."
        ),
    );
    line(
        out,
        format_args!(
            "\n**No**: `countersign reject {id}`, or close the pull request; it stays closed until the drift changes.\n\n\
             **Only a part of it**: ask for a smaller proposal with\n\n\
             ```sh\ncountersign-observer propose --runner {runner} --only PACKAGE\n```\n\n\
             **The machine is right and the manifest is wrong**: `countersign adopt {id}` in your own clone of \
             canonical, or add a waiver there.\n"
        ),
    );
}
