//! One rule of a manifest, changed in place.

use toml_edit::{DocumentMut, Item, Table, TableLike, Value};

/// The text with the rule for `key` set. Only the value changes: what is around it stays, comments too.
pub(crate) fn patched(text: &str, key: &str, rule: &str, reason: Option<&str>) -> Result<String, String> {
    let mut document: DocumentMut = text.parse().map_err(|error: toml_edit::TomlError| error.message().to_owned())?;
    let packages = document.entry("packages").or_insert_with(|| Item::Table(Table::new()));
    let packages = packages.as_table_like_mut().ok_or("`packages` is no table")?;
    match packages.get_mut(key) {
        None => {
            packages.insert(key, toml_edit::value(rule));
        }
        Some(Item::Value(Value::String(_))) => set(packages, key, rule),
        Some(item) => {
            let table = item.as_table_like_mut().ok_or_else(|| format!("the rule for `{key}` is no table"))?;
            let name = if matches!(rule, "allowed" | "absent") { "state" } else { "version" };
            for other in ["version", "state", "same-as"].into_iter().filter(|other| *other != name) {
                table.remove(other);
            }
            set(table, name, rule);
            if let Some(reason) = reason {
                set(table, "reason", reason);
            }
        }
    }
    Ok(document.to_string())
}

/// Sets a text. The decor of the old value is carried over: plain assignment would drop a comment behind it.
fn set(table: &mut dyn TableLike, key: &str, text: &str) {
    let mut value = Value::from(text);
    match table.get_mut(key).and_then(Item::as_value_mut) {
        Some(old) => {
            *value.decor_mut() = old.decor().clone();
            *old = value;
        }
        None => {
            table.insert(key, Item::Value(value));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "# people\nschema = \"countersign/manifest/1\"\n\n[packages]   # all of them\n\
        htop   = \"*\"  # for the night shift\n\
        # the compiler\nllvm              = \"= 19.1.0-1.fc41\"   # tenant X\n\
        glibc = { version = \">= 2.40\", reason = \"ABI\" } # keep\n\
        \"glibc.i686\" = \"absent\"\n\n[host]\nselinux = \"enforcing\" # always\n";

    #[test]
    fn only_the_value_changes() {
        for (key, rule, reason, from, to) in [
            ("llvm", "= 20.1.0-1.fc41", None, "\"= 19.1.0-1.fc41\"", "\"= 20.1.0-1.fc41\""),
            ("htop", "allowed", Some("unused"), "\"*\"", "\"allowed\""),
            ("glibc.i686", "*", None, "\"absent\"", "\"*\""),
            (
                "glibc",
                "= 1:2.41-1",
                Some("new ABI"),
                "\">= 2.40\", reason = \"ABI\"",
                "\"= 1:2.41-1\", reason = \"new ABI\"",
            ),
        ] {
            assert_eq!(patched(TEXT, key, rule, reason).unwrap(), TEXT.replacen(from, to, 1), "{key}");
        }
    }

    #[test]
    fn a_rule_of_another_kind_takes_the_place_of_the_old_one() {
        let text = patched(TEXT, "glibc", "allowed", None).unwrap();
        assert!(
            text.contains("glibc = {") && text.contains("state = \"allowed\"") && !text.contains(">= 2.40"),
            "{text}"
        );
        assert!(text.contains("reason = \"ABI\"") && text.contains("# keep"), "{text}");
    }

    #[test]
    fn a_new_rule_goes_to_the_packages_and_nothing_else_moves() {
        let text = patched(TEXT, "zsh", "*", None).unwrap();
        assert_eq!(text.replacen("zsh = \"*\"\n", "", 1), TEXT);
        let text = patched("schema = \"countersign/manifest/1\"\n", "zsh.i686", "*", None).unwrap();
        assert_eq!(text, "schema = \"countersign/manifest/1\"\n\n[packages]\n\"zsh.i686\" = \"*\"\n");
    }

    #[test]
    fn what_is_no_manifest_is_refused() {
        for text in ["packages = 1\n", "[packages]\nzsh = 1\n", "[packages\n"] {
            assert!(patched(text, "zsh", "*", None).is_err(), "{text}");
        }
    }
}
