//! sqlparser's dialect for SQL Server, with the words added that begin a statement there: between
//! statements that no semicolon parts, such a word is no alias.

use std::any::TypeId;

use sqlparser::ast::GranteesType;
use sqlparser::dialect::{Dialect, MsSqlDialect};
use sqlparser::keywords::Keyword;
use sqlparser::parser::{Parser, ParserError};

#[derive(Debug)]
pub(crate) struct TSql(MsSqlDialect);

impl TSql {
    pub(crate) const fn new() -> Self {
        Self(MsSqlDialect {})
    }
}

fn begins_statement(keyword: Keyword) -> bool {
    matches!(
        keyword,
        Keyword::SET
            | Keyword::BEGIN
            | Keyword::END
            | Keyword::COMMIT
            | Keyword::ROLLBACK
            | Keyword::USE
            | Keyword::CONTINUE
            | Keyword::WAITFOR
            | Keyword::WITH
            | Keyword::OPTION
            | Keyword::FOR
            | Keyword::OUTPUT
            | Keyword::USING
            | Keyword::WHEN
            | Keyword::PIVOT
            | Keyword::UNPIVOT
            | Keyword::SELECT
            | Keyword::VALUES
            | Keyword::CROSS
            | Keyword::OUTER
            | Keyword::FULL
            | Keyword::LEFT
            | Keyword::RIGHT
            | Keyword::INNER
            | Keyword::JOIN
            | Keyword::ON
            | Keyword::WHERE
            | Keyword::ORDER
            | Keyword::GROUP
            | Keyword::UNION
            | Keyword::EXCEPT
            | Keyword::INTERSECT
            | Keyword::OFFSET
            | Keyword::FETCH
    )
}

impl Dialect for TSql {
    fn dialect(&self) -> TypeId {
        self.0.dialect()
    }

    fn is_delimited_identifier_start(&self, ch: char) -> bool {
        self.0.is_delimited_identifier_start(ch)
    }

    fn is_identifier_start(&self, ch: char) -> bool {
        self.0.is_identifier_start(ch)
    }

    fn is_identifier_part(&self, ch: char) -> bool {
        self.0.is_identifier_part(ch)
    }

    fn identifier_quote_style(&self, identifier: &str) -> Option<char> {
        self.0.identifier_quote_style(identifier)
    }

    fn convert_type_before_value(&self) -> bool {
        true
    }

    fn supports_dollar_as_money_prefix(&self) -> bool {
        true
    }

    fn supports_eq_alias_assignment(&self) -> bool {
        true
    }

    fn supports_try_convert(&self) -> bool {
        true
    }

    fn supports_boolean_literals(&self) -> bool {
        false
    }

    fn supports_table_versioning(&self) -> bool {
        false
    }

    fn supports_nested_comments(&self) -> bool {
        true
    }

    fn supports_object_name_double_dot_notation(&self) -> bool {
        true
    }

    fn get_reserved_grantees_types(&self) -> &[GranteesType] {
        self.0.get_reserved_grantees_types()
    }

    fn is_select_item_alias(&self, explicit: bool, keyword: &Keyword, parser: &mut Parser) -> bool {
        (explicit || !begins_statement(*keyword))
            && self.0.is_select_item_alias(explicit, keyword, parser)
    }

    fn is_table_factor(&self, keyword: &Keyword, parser: &mut Parser) -> bool {
        self.0.is_table_factor(keyword, parser)
    }

    fn is_table_factor_alias(
        &self,
        explicit: bool,
        keyword: &Keyword,
        parser: &mut Parser,
    ) -> bool {
        (explicit || !begins_statement(*keyword))
            && self.0.is_table_factor_alias(explicit, keyword, parser)
    }

    fn get_next_precedence(&self, parser: &Parser) -> Option<Result<u8, ParserError>> {
        self.0.get_next_precedence(parser)
    }
}
