use arrow_schema::Schema;

use crate::nearest;

/// What a person is told who names a column that isn't there: which was meant, perhaps, and
/// which there are.
pub fn columns_instead(asked: &str, schema: &Schema) -> String {
    const SHOWN: usize = 12;
    let names = || schema.fields().iter().map(|field| field.name().as_str());
    let meant = match nearest(asked, names()) {
        Some(near) => format!("did you mean `{near}`? "),
        None => String::new(),
    };
    let shown: Vec<&str> = names().take(SHOWN).collect();
    let tail = match schema.fields().len().saturating_sub(SHOWN) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    match shown.is_empty() {
        true => "there are no columns at all".to_owned(),
        false => format!("{meant}there are {}{tail}", shown.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow_schema::{DataType, Field};

    #[test]
    fn the_one_that_was_meant_comes_first_however_many_there_are() {
        let names = (0..20).map(|n| format!("column_{n}"));
        let fields = names.chain(["time_hour".to_owned()]);
        let schema = Schema::new(
            fields
                .map(|name| Field::new(name, DataType::Int64, true))
                .collect::<Vec<_>>(),
        );
        let advice = columns_instead("Time_Hour", &schema);
        assert!(
            advice.starts_with("did you mean `time_hour`? there are column_0, "),
            "{advice}"
        );
        assert!(advice.ends_with("column_11 and 9 more"), "{advice}");
        let none = columns_instead("x", &Schema::empty());
        assert_eq!(none, "there are no columns at all");
    }
}
