//! Expressions of many terms. Whatever reads, plans or evaluates one calls itself for each level, and
//! a chain of a thousand ORs is a thousand levels: a thread's stack ends long before, and with it the
//! program. So there is more stack, chains that mean the same in any order become flat trees, and
//! what is deeper still is refused.

use std::ops::ControlFlow;

use sqlparser_of_polars::ast::{
    BinaryOperator, Expr, Value, Visit, VisitMut, Visitor, VisitorMut, visit_expressions,
};
use sqlparser_of_polars::dialect::GenericDialect;
use sqlparser_of_polars::keywords::Keyword;
use sqlparser_of_polars::tokenizer::{Token, Tokenizer};

/// Levels of an expression, which Polars' own threads have to evaluate, whose stacks are small. Some become
/// two there, and 110 are too many.
const MOST_LEVELS: usize = 80;
/// Operators and words of an expression, which are read before they are counted as levels.
const MOST_WORDS: usize = 20_000;
/// Parentheses and CASEs that stand in each other.
const MOST_NESTED: usize = 47;
/// WHENs of a CASE.
pub(crate) const MOST_WHENS: usize = 500;
/// Address space, of which only what is used is taken.
const STACK: usize = 256 << 20;

/// Does work that calls itself as often as an expression has levels.
pub(crate) fn roomy<T>(work: impl FnOnce() -> T) -> T {
    stacker::maybe_grow(STACK / 2, STACK, work)
}

/// Whether parentheses and CASEs stand in each other deeper than they are read: the grammar looks at each
/// of the last ones twice as often as at the one around it.
pub(crate) fn too_nested(text: &str) -> bool {
    let words = Tokenizer::new(&GenericDialect, text).tokenize();
    let mut now = 0_usize;
    words.unwrap_or_default().iter().any(|word| {
        match word {
            Token::LParen => now += 1,
            Token::RParen => now = now.saturating_sub(1),
            Token::Word(word) if word.keyword == Keyword::CASE => now += 1,
            Token::Word(word) if word.keyword == Keyword::END => now = now.saturating_sub(1),
            _ => {}
        }
        now > MOST_NESTED
    })
}

/// Whether reading a text could take more than there is.
pub(crate) fn too_long(text: &str) -> bool {
    // What can't be cut into words is told as such.
    let words = Tokenizer::new(&GenericDialect, text).tokenize();
    let listed = |token: &Token| {
        matches!(
            token,
            Token::Comma | Token::Whitespace(_) | Token::Number(..) | Token::SingleQuotedString(_)
        )
    };
    words.is_ok_and(|words| words.iter().filter(|word| !listed(word)).count() > MOST_WORDS)
}

/// Makes flat trees of long chains of ANDs and ORs; gives whether there were any.
pub(crate) fn flatten(expr: &mut Expr) -> bool {
    #[derive(Default)]
    struct Flattening {
        any: bool,
    }
    impl VisitorMut for Flattening {
        type Break = ();

        // From the top of a chain: from below, each of its terms would be the end of one.
        fn pre_visit_expr(&mut self, part: &mut Expr) -> ControlFlow<()> {
            if let Expr::BinaryOp { op, .. } = part
                && matches!(op, BinaryOperator::And | BinaryOperator::Or)
            {
                let op = op.clone();
                let chain = std::mem::replace(part, Expr::value(Value::Null));
                let terms = terms(chain, &op);
                self.any |= terms.len() > 2;
                *part = tree(terms, &op);
            }
            ControlFlow::Continue(())
        }
    }
    let mut flattening = Flattening::default();
    let visited = VisitMut::visit(expr, &mut flattening);
    debug_assert!(visited.is_continue());
    flattening.any
}

/// What an operator stands between, from left to right.
fn terms(chain: Expr, of: &BinaryOperator) -> Vec<Expr> {
    let (mut terms, mut rest) = (Vec::new(), vec![chain]);
    while let Some(expr) = rest.pop() {
        match expr {
            Expr::BinaryOp { left, op, right } if op == *of => {
                rest.push(*right);
                rest.push(*left);
            }
            term => terms.push(term),
        }
    }
    terms
}

fn tree(mut terms: Vec<Expr>, op: &BinaryOperator) -> Expr {
    if terms.len() == 1 {
        return terms.remove(0);
    }
    let right = terms.split_off(terms.len().div_ceil(2));
    let half = |terms: Vec<Expr>| match terms.len() {
        1 => tree(terms, op),
        _ => Expr::Nested(Box::new(tree(terms, op))),
    };
    Expr::BinaryOp {
        left: Box::new(half(terms)),
        op: op.clone(),
        right: Box::new(half(right)),
    }
}

/// Whether an expression has more levels than can be evaluated.
pub(crate) fn too_deep(expr: &Expr) -> bool {
    #[derive(Default)]
    struct Levels {
        now: usize,
        most: usize,
    }
    impl Visitor for Levels {
        type Break = ();

        fn pre_visit_expr(&mut self, part: &Expr) -> ControlFlow<()> {
            self.now += usize::from(is_level(part));
            self.most = self.most.max(self.now);
            ControlFlow::Continue(())
        }

        fn post_visit_expr(&mut self, part: &Expr) -> ControlFlow<()> {
            self.now -= usize::from(is_level(part));
            ControlFlow::Continue(())
        }
    }
    let mut levels = Levels::default();
    let visited = Visit::visit(expr, &mut levels);
    debug_assert!(visited.is_continue());
    levels.most > MOST_LEVELS
}

/// Whether what Polars makes of an expression has many more parts than are written: it computes what
/// stands in NULLIF, in BETWEEN or after CASE once for each comparison, and if such stand in each other,
/// each level has twice as many, or more.
pub(crate) fn grows(written: &Expr, made: &polars_plan::prelude::Expr) -> bool {
    const FREE: usize = 5_000;
    const TIMES: usize = 4;
    let mut parts = 0_usize;
    let counted = visit_expressions(written, |_| {
        parts += 1;
        ControlFlow::<()>::Continue(())
    });
    debug_assert!(counted.is_continue());
    let most = FREE + TIMES * parts;
    made.into_iter().take(most + 1).count() > most
}

/// Parentheses are none to whatever evaluates.
fn is_level(part: &Expr) -> bool {
    !matches!(part, Expr::Nested(_))
}

/// Whether a CASE has more WHENs than can be planned: each stands in the one before, and is looked at
/// from all of them.
pub(crate) fn too_many_whens(expr: &Expr) -> bool {
    let found = visit_expressions(expr, |part| match part {
        Expr::Case { conditions, .. } if conditions.len() > MOST_WHENS => ControlFlow::Break(()),
        _ => ControlFlow::Continue(()),
    });
    found.is_break()
}
