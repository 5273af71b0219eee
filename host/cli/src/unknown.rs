use crate::complaint::Complaint;

/// Nothing is called that: what was meant, perhaps, and what there is.
pub(crate) fn nothing(what: &str, asked: &str, there: &[String]) -> Complaint {
    const SHOWN: usize = 12;
    let mut message = if asked.contains(['*', '?']) {
        format!("no {what} matches `{asked}`")
    } else {
        format!("there is no {what} `{asked}`")
    };
    if let Some(near) = nearest(asked, there) {
        message.push_str(&format!("; did you mean `{near}`?"));
    }
    if there.is_empty() {
        return Complaint::usage(message).advise(format!("this project has no {what} yet"));
    }
    let mut names = there
        .iter()
        .take(SHOWN)
        .cloned()
        .collect::<Vec<_>>()
        .join(", ");
    if there.len() > SHOWN {
        names.push_str(&format!(
            " and {} more (see `hygge list`)",
            there.len() - SHOWN
        ));
    }
    Complaint::usage(message).advise(format!("choose from {names}"))
}

/// The name that was probably meant.
pub(crate) fn nearest<'a>(asked: &str, there: &'a [String]) -> Option<&'a str> {
    let bare = |name: &str| name.rsplit('.').next().unwrap_or(name).to_lowercase();
    // The entity's name without its flow's is the likeliest slip.
    if let Some(exact) = there.iter().find(|name| bare(name) == asked.to_lowercase()) {
        return Some(exact);
    }
    there
        .iter()
        .map(|name| {
            (
                strsim::jaro_winkler(&asked.to_lowercase(), &name.to_lowercase()),
                name,
            )
        })
        .filter(|(score, _)| *score > 0.85)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, name)| name.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_are_understood() {
        let there = ["nyc.airlines", "nyc.airports"].map(str::to_owned);
        assert_eq!(nearest("airports", &there), Some("nyc.airports"));
        assert_eq!(nearest("nyc.arilines", &there), Some("nyc.airlines"));
        assert_eq!(nearest("elephants", &there), None);
        let complaint = nothing("entity", "nyc.arilines", &there);
        assert_eq!(
            complaint.message,
            "there is no entity `nyc.arilines`; did you mean `nyc.airlines`?"
        );
        assert_eq!(
            complaint.advice.as_deref(),
            Some("choose from nyc.airlines, nyc.airports")
        );
    }
}
