//! What `--stats` says.

use std::io::{self, Write};
use std::time::Duration;

use escalade_engine::answer::Statistics;

/// How long the parts of an analysis took.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Times {
    pub(crate) loading: Duration,
    pub(crate) answering: Duration,
}

/// Writes times, and how decisions were made where that was counted.
pub(crate) fn report(
    out: &mut impl Write,
    times: &Times,
    statistics: Option<&Statistics>,
) -> io::Result<()> {
    let ms = |time: Duration| format!("{:.1} ms", time.as_secs_f64() * 1000.0);
    writeln!(out, "reading      {}", ms(times.loading))?;
    writeln!(out, "answering    {}", ms(times.answering))?;
    let Some(statistics) = statistics else { return Ok(()) };
    let Statistics { decisions, solving, folded, remembered, cheap, solved, undecided } =
        statistics;
    writeln!(out, "solving      {} of all threads together", ms(*solving))?;
    writeln!(out, "decisions    {decisions}")?;
    writeln!(out, "residuals    {}", folded + remembered + cheap + solved)?;
    writeln!(out, "  constant   {folded}")?;
    writeln!(out, "  known      {remembered}")?;
    writeln!(out, "  at once    {cheap}")?;
    writeln!(out, "  by Z3      {solved}")?;
    writeln!(out, "  undecided  {undecided}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_and_counts_are_aligned() {
        let times =
            Times { loading: Duration::from_micros(1234), answering: Duration::from_millis(20) };
        let statistics = Statistics {
            decisions: 40,
            solving: Duration::from_micros(300),
            folded: 8,
            remembered: 3,
            cheap: 2,
            solved: 1,
            undecided: 0,
        };
        let mut bytes = Vec::new();
        report(&mut bytes, &times, Some(&statistics)).unwrap();
        insta::assert_snapshot!(String::from_utf8(bytes).unwrap(), @r"
        reading      1.2 ms
        answering    20.0 ms
        solving      0.3 ms of all threads together
        decisions    40
        residuals    14
          constant   8
          known      3
          at once    2
          by Z3      1
          undecided  0
        ");
    }
}
