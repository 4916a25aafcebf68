//! `escalade simulate`: what the policies say about a request.

use std::fs;
use std::io::{self, Write};
use std::path::Path;

use escalade_engine::authorization::cases::decide_case;
use rayon::prelude::*;

/// Lines that one thread decides at a time: enough to make the hand-over cheap.
const CHUNK: usize = 256;

/// Decides the cases of a file, one a line, and writes one verdict a line in the same order.
///
/// Returns whether every line could be decided; one that could not has an `error` instead of a
/// verdict. Fails if the file cannot be read or the output not written.
pub(crate) fn cases(path: &Path, out: &mut impl Write) -> io::Result<bool> {
    let text = fs::read_to_string(path)?;
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    let answers: Vec<(String, bool)> = lines.par_chunks(CHUNK).map(decide_chunk).collect();
    let mut all_decided = true;
    for (answer, decided) in answers {
        out.write_all(answer.as_bytes())?;
        all_decided &= decided;
    }
    Ok(all_decided)
}

fn decide_chunk(lines: &[&str]) -> (String, bool) {
    let mut out = String::with_capacity(lines.len() * 64);
    let mut all_decided = true;
    for line in lines {
        let case = decide_case(line);
        let (member, value) = match &case.verdict {
            Ok(verdict) => ("verdict", verdict.name()),
            Err(error) => ("error", error.as_str()),
        };
        all_decided &= case.verdict.is_ok();
        let id = case.id.map_or(serde_json::Value::Null, serde_json::Value::String);
        let value = serde_json::Value::String(value.to_owned());
        out.push_str(&format!("{{\"id\": {id}, \"{member}\": {value}}}\n"));
    }
    (out, all_decided)
}
