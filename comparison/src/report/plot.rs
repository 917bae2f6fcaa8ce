//! Plots, as SVG.

use std::io;
use std::ops::Range;
use std::path::Path;

use plotters::coord::Shift;
use plotters::coord::types::RangedCoordf64;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::figure::{Figure, Line};
use super::machine::Circumstances;
use super::work::Better;

const SIZE: (u32, u32) = (1000, 600);

/// What is kept free to the right, for names, and at the bottom, for where and when.
const NAMES: i32 = 220;
const FOOT: i32 = 44;

/// From one name to the next, in pixels.
const GAP: i32 = 17;

/// Letters that fit across.
const LONGEST: usize = 150;

const FONT: &str = "sans-serif";
const GREY: RGBColor = RGBColor(200, 200, 200);
const DARK: RGBColor = RGBColor(70, 70, 70);

/// To be told apart also by those who see fewer colours (Okabe and Ito).
const COLOURS: [RGBColor; 8] = [
    RGBColor(0, 114, 178),
    RGBColor(213, 94, 0),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(230, 159, 0),
    RGBColor(86, 180, 233),
    RGBColor(0, 0, 0),
    RGBColor(140, 86, 75),
];

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;
type Coordinates = Cartesian2d<RangedCoordf64, LogCoord<f64>>;
type Chart<'a, 'b> = ChartContext<'a, SVGBackend<'b>, Coordinates>;

/// Draws them into files in that directory.
pub(crate) fn draw_all(
    to: &Path,
    circumstances: &Circumstances,
    figures: impl IntoIterator<Item = Figure>,
) -> io::Result<()> {
    for figure in figures {
        let path = to.join(figure.file_name());
        draw(&path, circumstances, &figure).map_err(|why| {
            let why = format!("{}: {why}", path.display());
            io::Error::other(why)
        })?;
    }
    Ok(())
}

type Drawn<R = ()> = Result<R, Box<dyn std::error::Error>>;

fn draw(path: &Path, circumstances: &Circumstances, figure: &Figure) -> Drawn {
    let root = SVGBackend::new(path, SIZE).into_drawing_area();
    root.fill(&WHITE)?;
    foot(&root, circumstances)?;
    let (width, height) = (SIZE.0 as i32, SIZE.1 as i32);
    let area = root.clone().shrink((0, 0), (width - NAMES, height - FOOT));
    let (across, up) = ranges(&figure.lines);
    let mut chart = ChartBuilder::on(&area)
        .caption(title(figure), (FONT, 19))
        .margin(12)
        .x_label_area_size(46)
        .y_label_area_size(78)
        .build_cartesian_2d(across, up.log_scale())?;
    mesh(&mut chart, figure)?;
    for (line, colour) in figure.lines.iter().zip(colours(&figure.lines)) {
        draw_line(&mut chart, line, colour)?;
    }
    name_lines(&root, &chart, figure)?;
    root.present()?;
    Ok(())
}

fn title(figure: &Figure) -> String {
    let better = match figure.better {
        Better::Higher => "more is better",
        Better::Lower => "less is better",
    };
    format!("{} ({better})", figure.title)
}

fn mesh(chart: &mut Chart, figure: &Figure) -> Drawn {
    let mut mesh = chart.configure_mesh();
    mesh.light_line_style(TRANSPARENT)
        .bold_line_style(BLACK.mix(0.12))
        .x_labels(20)
        .x_label_formatter(&|&at| figure.across.label(at))
        .y_label_formatter(&|&value| figure.value(value))
        .label_style((FONT, 13))
        .axis_desc_style((FONT, 14))
        .x_desc(figure.across.title())
        .y_desc(figure.unit.as_str())
        .draw()?;
    Ok(())
}

/// From the least to the most, and a little room.
fn ranges(lines: &[Line]) -> (Range<f64>, Range<f64>) {
    let points = || lines.iter().flat_map(|line| &line.points);
    let least = |values: &mut dyn Iterator<Item = f64>| values.fold(f64::INFINITY, f64::min);
    let most = |values: &mut dyn Iterator<Item = f64>| values.fold(0.0, f64::max);
    let (x0, x1) = (
        least(&mut points().map(|point| point.0)),
        most(&mut points().map(|point| point.0)),
    );
    let (y0, y1) = (
        least(&mut points().map(|point| point.1)).max(1e-6),
        most(&mut points().map(|point| point.1)).max(1e-6),
    );
    (x0..x1 + (x1 - x0) * 0.01, y0 / 1.3..y1 * 1.3)
}

/// Ours first, as the lines' order ends with them.
fn colours(lines: &[Line]) -> Vec<RGBColor> {
    let coloured = lines.iter().filter(|line| line.coloured).count();
    let mut left = coloured;
    let mut next = |line: &Line| {
        if !line.coloured {
            return GREY;
        }
        left -= 1;
        COLOURS[left % COLOURS.len()]
    };
    lines.iter().map(&mut next).collect()
}

fn draw_line(chart: &mut Chart, line: &Line, colour: RGBColor) -> Drawn {
    let width = match (line.ours, line.coloured) {
        (true, _) => 3,
        (false, true) => 2,
        (false, false) => 1,
    };
    let points = line.points.iter().copied();
    chart.draw_series(LineSeries::new(points.clone(), colour.stroke_width(width)))?;
    if line.coloured && line.points.len() <= 20 {
        chart.draw_series(points.map(|point| Circle::new(point, width + 1, colour.filled())))?;
    }
    Ok(())
}

/// Writes each name beside the end of its line.
fn name_lines(root: &Area, chart: &Chart, figure: &Figure) -> Drawn {
    let colours = colours(&figure.lines);
    let named = figure
        .lines
        .iter()
        .zip(colours)
        .filter(|(line, _)| line.coloured);
    let area = chart.plotting_area();
    let end = |line: &Line| line.points.last().map(|point| area.map_coordinate(point));
    let mut names: Vec<_> = named
        .filter_map(|(line, colour)| Some((end(line)?, line, colour)))
        .collect();
    names.sort_by_key(|(end, ..)| end.1);
    let bottom = SIZE.1 as i32 - FOOT - 60;
    let places = spread_out(names.iter().map(|(end, ..)| end.1), bottom);
    let x = SIZE.0 as i32 - NAMES;
    for ((end, line, colour), y) in names.into_iter().zip(places) {
        root.draw(&PathElement::new([end, (x, y)], colour.mix(0.35)))?;
        let style = text(14, &colour, VPos::Center);
        root.draw_text(&line.name, &style, (x + 5, y))?;
    }
    if figure.lines.iter().any(|line| !line.coloured) {
        let style = text(12, &RGBColor(150, 150, 150), VPos::Center);
        root.draw_text("grey: all the others", &style, (x + 5, bottom + 2 * GAP))?;
    }
    Ok(())
}

/// The same heights from top to bottom, but none closer to the next than a name is high, and none below the bottom.
fn spread_out(heights: impl Iterator<Item = i32>, bottom: i32) -> Vec<i32> {
    let mut places: Vec<i32> = heights.collect();
    for i in 1..places.len() {
        places[i] = places[i].max(places[i - 1] + GAP);
    }
    let mut limit = bottom;
    for place in places.iter_mut().rev() {
        *place = (*place).min(limit);
        limit = *place - GAP;
    }
    places
}

fn text(size: u32, colour: &RGBColor, vertical: VPos) -> TextStyle<'_> {
    let style = TextStyle::from((FONT, size).into_font()).color(colour);
    style.pos(Pos::new(HPos::Left, vertical))
}

/// Where, when, and how to do it again.
fn foot(root: &Area, circumstances: &Circumstances) -> Drawn {
    let style = text(12, &DARK, VPos::Top);
    let top = SIZE.1 as i32 - FOOT + 6;
    let commit = circumstances.commit.as_deref().unwrap_or("unknown");
    let when = format!(
        "{}, commit {commit}: {}",
        circumstances.date, circumstances.command
    );
    root.draw_text(&circumstances.brief(), &style, (14, top))?;
    root.draw_text(&shortened(&when), &style, (14, top + 17))?;
    Ok(())
}

/// As much of it as fits.
fn shortened(line: &str) -> String {
    match line.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{} …", &line[..end]),
        None => line.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_neither_overlap_nor_leave_the_plot() {
        let places = spread_out([10, 12, 14, 390, 395].into_iter(), 400);
        assert!(
            places.windows(2).all(|two| two[1] - two[0] >= GAP),
            "{places:?}"
        );
        assert_eq!((places[0], places[4]), (10, 400));
    }
}
