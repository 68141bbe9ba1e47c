//! In which order: canaries first, one runner at a time in one wave only once. Pure.

/// Groups by wave, ascending. Within a wave the order stays.
pub(super) fn waves<T>(items: impl IntoIterator<Item = T>, wave: impl Fn(&T) -> u32) -> Vec<(u32, Vec<T>)> {
    let mut waves: Vec<(u32, Vec<T>)> = Vec::new();
    for item in items {
        let number = wave(&item);
        match waves.binary_search_by_key(&number, |(number, _)| *number) {
            Ok(at) => waves[at].1.push(item),
            Err(at) => waves.insert(at, (number, vec![item])),
        }
    }
    waves
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn canaries_come_first_and_each_has_its_turn_once() {
        let grouped = waves([("c", 2), ("a", 0), ("d", 2), ("b", 1), ("e", 0)], |(_, wave)| *wave);
        let names: Vec<(u32, Vec<&str>)> = grouped
            .into_iter()
            .map(|(wave, items)| (wave, items.into_iter().map(|(name, _)| name).collect()))
            .collect();
        assert_eq!(names, [(0, vec!["a", "e"]), (1, vec!["b"]), (2, vec!["c", "d"])]);
        assert!(waves(Vec::<u32>::new(), |wave| *wave).is_empty());
    }
}
