use crate::flow::WrittenFlow;
use crate::{Problem, nearest};

/// Which flows and entities a run takes: all, or those that patterns name.
#[derive(Debug, Clone, Default)]
pub struct Selection {
    /// `--flow`: names, also comma-separated; `*` and `?` stand for other characters.
    pub flows: Vec<String>,
    /// `--entity`: `flow.entity`, as above.
    pub entities: Vec<String>,
}

impl Selection {
    /// Every entity of the flows that have one that is taken: for what a wildcard names isn't known
    /// by name.
    #[must_use]
    pub fn whole_flows(&self) -> Self {
        let of = |pattern: &str| match pattern.split_once('.') {
            Some((flow, _)) => flow.to_owned(),
            None => "*".to_owned(),
        };
        let entities = Self::patterns(&self.entities).map(of);
        Self {
            flows: self.flows.iter().cloned().chain(entities).collect(),
            entities: Vec::new(),
        }
    }

    fn patterns(given: &[String]) -> impl Iterator<Item = &str> {
        given
            .iter()
            .flat_map(|text| text.split(','))
            .map(str::trim)
            .filter(|pattern| !pattern.is_empty())
    }

    /// Whether an entity is taken.
    pub fn takes(&self, flow: &str, entity: &str) -> bool {
        if self.flows.is_empty() && self.entities.is_empty() {
            return true;
        }
        let id = format!("{flow}.{entity}");
        Self::patterns(&self.flows).any(|pattern| matches(pattern, flow))
            || Self::patterns(&self.entities).any(|pattern| matches(pattern, &id))
    }

    /// Reports every pattern that names nothing.
    pub(crate) fn check(&self, flows: &[WrittenFlow], problems: &mut Vec<Problem>) {
        let names: Vec<&str> = flows.iter().map(|flow| flow.name.as_str()).collect();
        let ids: Vec<String> = flows
            .iter()
            .flat_map(|flow| {
                flow.entities
                    .iter()
                    .map(|e| format!("{}.{}", flow.name, e.name))
            })
            .collect();
        for pattern in Self::patterns(&self.flows) {
            if !names.iter().any(|name| matches(pattern, name)) {
                let problem = Problem::new(format!("no flow is named `{pattern}`"));
                problems.push(advise(problem, pattern, &names));
            }
        }
        let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
        for pattern in Self::patterns(&self.entities) {
            if ids.iter().any(|id| matches(pattern, id)) {
                continue;
            }
            let problem = Problem::new(format!("no entity is named `{pattern}`"));
            let alone = format!(".{pattern}");
            problems.push(match ids.iter().find(|id| id.ends_with(&alone)) {
                Some(id) => problem.advise(format!("did you mean `{id}`?")),
                None => advise(problem, pattern, &ids),
            });
        }
        for (option, given) in [("--flow", &self.flows), ("--entity", &self.entities)] {
            if !given.is_empty() && Self::patterns(given).next().is_none() {
                problems.push(Problem::new(format!("`{option}` names nothing")));
            }
        }
    }
}

fn advise(problem: Problem, pattern: &str, known: &[&str]) -> Problem {
    match nearest(pattern, known.iter().copied()) {
        Some(near) => problem.advise(format!("did you mean `{near}`?")),
        None if known.is_empty() => problem,
        None if known.len() <= 12 => problem.advise(format!("there are: {}", known.join(", "))),
        None => problem.advise("`hygge list` shows all"),
    }
}

/// `*` stands for any characters, `?` for one.
fn matches(pattern: &str, name: &str) -> bool {
    let pattern: Vec<char> = pattern.chars().collect();
    let name: Vec<char> = name.chars().collect();
    // Where the last star stands, and how much of the name it was tried with.
    let mut star: Option<(usize, usize)> = None;
    let (mut p, mut n) = (0, 0);
    while n < name.len() {
        if p < pattern.len() && pattern[p] == '*' {
            star = Some((p, n));
            p += 1;
        } else if p < pattern.len() && (pattern[p] == '?' || pattern[p] == name[n]) {
            p += 1;
            n += 1;
        } else if let Some((at, tried)) = star {
            star = Some((at, tried + 1));
            p = at + 1;
            n = tried + 1;
        } else {
            return false;
        }
    }
    pattern[p..].iter().all(|c| *c == '*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wildcards() {
        assert!(matches("*", ""));
        assert!(matches("nyc.*", "nyc.flights"));
        assert!(matches("n?c.*s", "nyc.flights"));
        assert!(matches("**a*b", "xxaxaxb"));
        assert!(!matches("nyc", "nyc2"));
        assert!(!matches("nyc.?", "nyc."));
    }

    #[test]
    fn flows_and_entities_add_up() {
        let selection = Selection {
            flows: vec!["a, b".into()],
            entities: vec!["c.x*".into()],
        };
        assert!(selection.takes("a", "1") && selection.takes("b", "2"));
        assert!(selection.takes("c", "x1") && !selection.takes("c", "y"));
    }
}
