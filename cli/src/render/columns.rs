//! Rows whose cells stand below each other.

use std::io::{self, Write};

use anstyle::Style;

/// A cell: its text, already visible, and how it looks.
pub(super) type Cell = (String, Style);

const GAP: usize = 2;

/// Writes rows with their cells aligned; the last cell may be empty. Where the rows would be wider
/// than `limit`, last cells go on a line of their own below.
pub(super) fn columns(
    out: &mut dyn Write,
    indent: usize,
    rows: &[Vec<Cell>],
    limit: Option<usize>,
) -> io::Result<()> {
    let mut widths = Vec::<usize>::new();
    let mut widest = 0;
    for row in rows {
        let Some((_, padded)) = row.split_last() else { continue };
        for (column, (text, _)) in padded.iter().enumerate() {
            let width = text.chars().count();
            match widths.get_mut(column) {
                Some(widest) => *widest = width.max(*widest),
                None => widths.push(width),
            }
        }
    }
    let left = |cells: usize| indent + widths.iter().take(cells).map(|w| w + GAP).sum::<usize>();
    for row in rows {
        if let Some(((text, _), padded)) =
            row.split_last().filter(|((text, _), _)| !text.is_empty())
        {
            widest = widest.max(left(padded.len()) + text.chars().count());
        }
    }
    let stacked = limit.is_some_and(|limit| widest > limit);
    for row in rows {
        let Some(((last, last_style), padded)) = row.split_last() else { continue };
        write!(out, "{:indent$}", "")?;
        let below = stacked && !padded.is_empty();
        let continues = padded.iter().all(|(text, _)| text.is_empty());
        let shown = if continues && below { &[] } else { padded };
        for (position, ((text, style), width)) in shown.iter().zip(&widths).enumerate() {
            write!(out, "{style}{text}{style:#}")?;
            let ends_the_line = position + 1 == padded.len() && (below || last.is_empty());
            if !ends_the_line {
                let pad = width.saturating_sub(text.chars().count()) + GAP;
                write!(out, "{:pad$}", "")?;
            }
        }
        if last.is_empty() {
            writeln!(out)?;
            continue;
        }
        if below {
            // A row that only goes on from the one above has no line of its own to end.
            let (end, left) = if continues { ("", 2 * GAP) } else { ("\n", indent + 2 * GAP) };
            write!(out, "{end}{:left$}", "")?;
        }
        writeln!(out, "{last_style}{last}{last_style:#}")?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::{PLAIN, plain};

    fn check(limit: Option<usize>, expected: &str) {
        let cells = |row: &[&str]| row.iter().map(|text| ((*text).to_owned(), PLAIN)).collect();
        let rows: Vec<Vec<Cell>> = vec![
            cells(&["iam:PassRole", "role/a", "allowed by x"]),
            cells(&["s3:Get", "bucket/long", "allowed by y"]),
        ];
        assert_eq!(plain(|out| columns(out, 2, &rows, limit)), expected);
    }

    #[test]
    fn cells_are_aligned() {
        check(
            None,
            "  iam:PassRole  role/a       allowed by x\n  s3:Get        bucket/long  allowed by y\n",
        );
    }

    #[test]
    fn an_empty_last_cell_leaves_no_blanks() {
        let rows = vec![vec![("a".to_owned(), PLAIN), (String::new(), PLAIN)]];
        assert_eq!(plain(|out| columns(out, 2, &rows, None)), "  a\n");
        assert_eq!(plain(|out| columns(out, 2, &rows, Some(1))), "  a\n");
    }

    #[test]
    fn a_row_that_goes_on_stays_below_its_first() {
        let cell = |text: &str| (text.to_owned(), PLAIN);
        let rows = vec![vec![cell("ab"), cell("c")], vec![cell(""), cell("d")]];
        assert_eq!(plain(|out| columns(out, 2, &rows, None)), "  ab  c\n      d\n");
        assert_eq!(plain(|out| columns(out, 2, &rows, Some(5))), "  ab\n      c\n      d\n");
    }

    #[test]
    fn what_does_not_fit_goes_below() {
        check(
            Some(41),
            "  iam:PassRole  role/a       allowed by x\n  s3:Get        bucket/long  allowed by y\n",
        );
        check(
            Some(40),
            "  iam:PassRole  role/a\n      allowed by x\n  s3:Get        bucket/long\n      allowed by y\n",
        );
    }
}
