//! `selinux`: not as the manifest says.

use super::Verdict;
use crate::facts::Facts;
use countersign_shared::observation::Section;

pub(super) fn judge(facts: &Facts<'_>) -> Verdict {
    let answered = match facts.answered() {
        Ok(answered) => answered,
        Err(why) => return Verdict::Skipped(why),
    };
    let mode = facts.wanted.as_ref().and_then(|wanted| wanted.compiled.effective().host.selinux.clone());
    let Some(mode) = mode else {
        return Verdict::pass("the manifest does not say");
    };
    match answered.observation.as_ref().map(|observation| &observation.selinux) {
        Ok(Section::Seen(seen)) if **seen == mode => Verdict::pass(mode),
        Ok(Section::Seen(seen)) => Verdict::refuse(format!("it is {seen}, and the manifest says {mode}")),
        Ok(Section::Failed(failure)) | Err(failure) => Verdict::refuse(format!("not known: {}", failure.message)),
    }
}
