/// Whether a name fits a pattern: `*` stands for any characters, `?` for one. Names are compared as
/// most databases do, without regard to case.
pub fn fits_pattern(pattern: &str, name: &str) -> bool {
    let lower = |text: &str| text.to_lowercase().chars().collect::<Vec<char>>();
    let (pattern, name) = (lower(pattern), lower(name));
    let (mut p, mut n) = (0, 0);
    // Where the last star stands, and up to where of the name it reaches so far.
    let mut star: Option<(usize, usize)> = None;
    while n < name.len() {
        match pattern.get(p) {
            Some('*') => {
                star = Some((p, n));
                p += 1;
            }
            Some(c) if *c == '?' || *c == name[n] => {
                (p, n) = (p + 1, n + 1);
            }
            _ => {
                let Some((at, reached)) = star else {
                    return false;
                };
                (p, n) = (at + 1, reached + 1);
                star = Some((at, reached + 1));
            }
        }
    }
    pattern[p..].iter().all(|c| *c == '*')
}
