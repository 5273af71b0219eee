/// The known word that was most likely meant, if any is close. Case doesn't count.
pub fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let word = word.to_lowercase();
    known
        .into_iter()
        .map(|each| {
            (
                strsim::damerau_levenshtein(&word, &each.to_lowercase()),
                each,
            )
        })
        .filter(|(distance, each)| {
            let longest = word.chars().count().max(each.chars().count());
            // One slip in three letters; a word of one or two letters is like any other.
            *distance == 0 || (longest > 2 && *distance * 3 <= longest.max(3))
        })
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, each)| each)
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn slips_are_seen_and_other_words_are_not() {
        let known = ["home", "store", "delimiter", "mode"];
        assert_eq!(nearest("delimter", known), Some("delimiter"));
        assert_eq!(nearest("hoem", known), Some("home"));
        assert_eq!(nearest("Store", known), Some("store"));
        assert_eq!(nearest("compression", known), None);
        assert_eq!(nearest("x", ["y"]), None);
    }
}
