//! Everything, for those who want to reckon themselves.

use std::io::{self, Write};

use serde::Serialize;

use super::costs::CostRow;
use super::machine::Circumstances;
use super::work::Work;

#[derive(Serialize)]
struct Document<'a> {
    circumstances: &'a Circumstances,
    works: &'a [Work],
    costs: &'a [CostRow],
}

pub(crate) fn write(
    to: &mut impl Write,
    circumstances: &Circumstances,
    works: &[Work],
    costs: &[CostRow],
) -> io::Result<()> {
    let document = Document {
        circumstances,
        works,
        costs,
    };
    serde_json::to_writer_pretty(&mut *to, &document)?;
    writeln!(to)?;
    to.flush()
}
