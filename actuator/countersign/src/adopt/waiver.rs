//! Waivers, added at the end of a file.

use countersign_manifests_schema::waiver::{WAIVER_SCHEMA, WaiverFile, WaiverTable};
use countersign_shared::manifest::write;
use toml_edit::{Array, ArrayOfTables, DocumentMut, Item, Table, value};

/// The text with these waivers behind those that it has; a whole file without one.
pub(crate) fn patched(text: Option<&str>, waivers: &[WaiverTable]) -> Result<String, String> {
    let Some(text) = text else {
        let file = WaiverFile { schema: WAIVER_SCHEMA.to_owned(), waive: waivers.to_vec() };
        return Ok(write::waivers("", &file));
    };
    let mut document: DocumentMut = text.parse().map_err(|error: toml_edit::TomlError| error.message().to_owned())?;
    let list = document.entry("waive").or_insert_with(|| Item::ArrayOfTables(ArrayOfTables::new()));
    let list = list.as_array_of_tables_mut().ok_or("`waive` is not written as [[waive]]")?;
    for waiver in waivers {
        let mut table = Table::new();
        let names = |names: &[String]| value(names.iter().map(String::as_str).collect::<Array>());
        if !waiver.runners.is_empty() {
            table.insert("runners", names(&waiver.runners));
        }
        if !waiver.groups.is_empty() {
            table.insert("groups", names(&waiver.groups));
        }
        for (key, text) in [("package", &waiver.package), ("code", &waiver.code)] {
            if let Some(text) = text {
                table.insert(key, value(text));
            }
        }
        if let Some(seen) = &waiver.seen {
            table.insert("seen", names(seen));
        }
        for (key, text) in [("reason", &waiver.reason), ("owner", &waiver.owner), ("until", &waiver.until)] {
            table.insert(key, value(text));
        }
        list.push(table);
    }
    Ok(document.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waivers_are_added_behind_those_that_are_there() {
        let one = WaiverTable {
            runners: vec!["runner-01".to_owned()],
            groups: Vec::new(),
            package: Some("llvm".to_owned()),
            code: Some("ahead".to_owned()),
            seen: Some(vec!["20.1.2-3.fc41".to_owned()]),
            reason: "until the \"rebuild\"".to_owned(),
            owner: "ada@example.org".to_owned(),
            until: "2027-01-31".to_owned(),
        };
        let first = patched(None, std::slice::from_ref(&one)).unwrap();
        let commented = format!("{first}# the end\n");
        let both = patched(Some(&commented), std::slice::from_ref(&one)).unwrap();
        assert!(both.starts_with(&first), "{both}");
        assert!(both.contains("# the end") && both.matches("[[waive]]").count() == 2, "{both}");
        assert_eq!(both.matches("seen = [\"20.1.2-3.fc41\"]").count(), 2, "{both}");
        assert!(patched(Some("waive = 1\n"), &[one]).is_err());
    }
}
