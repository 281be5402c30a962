//! `lethe map graph --format svg`: draws the graph of a data map.

use layout::backends::svg::SVGWriter;
use layout::core::base::Orientation;
use layout::core::color::Color;
use layout::core::geometry::{Point, get_size_for_str, pad_shape_scalar};
use layout::core::style::{LineStyleKind, StyleAttr};
use layout::std_shapes::shapes::{Arrow, Element, LineEndKind, ShapeKind};
use layout::topo::layout::VisualGraph;
use lethe::data_map::{Graph, GraphEdge, GraphTable};

const FONT_SIZE: usize = 14;
const PADDING: f64 = 16.0;
const LINE: u32 = 0x4b_55_63;
const DELETED: u32 = 0xe8_ee_ff;
const STAYS: u32 = 0xff_f4_d6;
const PERSON: u32 = 0xff_ff_ff;

/// Returns an SVG document.
pub(super) fn draw(graph: &Graph) -> String {
    let mut drawing = VisualGraph::new(Orientation::LeftToRight);
    let mut add = |text: &str, color: u32, shape: fn(&str) -> ShapeKind| {
        let style = StyleAttr::new(Color::new(opaque(LINE)), 1, Some(Color::new(opaque(color))), 6, FONT_SIZE);
        let size = pad_shape_scalar(narrow(get_size_for_str(text, FONT_SIZE)), PADDING);
        drawing.add_node(Element::create(shape(text), style, Orientation::LeftToRight, size))
    };
    let person = add("the person", PERSON, ShapeKind::new_circle);
    let tables: Vec<_> = graph
        .tables
        .iter()
        .map(|GraphTable { name, outcome, is_deleted }| {
            let color = if *is_deleted { DELETED } else { STAYS };
            add(&format!("{name}\n{outcome}"), color, ShapeKind::new_box)
        })
        .collect();
    for GraphEdge { from, to, label, owns } in &graph.edges {
        let style = StyleAttr::new(Color::new(opaque(LINE)), 1, None, 0, FONT_SIZE - 2);
        let line = if *owns { LineStyleKind::Normal } else { LineStyleKind::Dashed };
        let arrow = Arrow::new(LineEndKind::None, LineEndKind::Arrow, line, label, &style, &None, &None);
        drawing.add_edge(arrow, from.map_or(person, |position| tables[position]), tables[*to]);
    }
    let mut svg = SVGWriter::new();
    drawing.do_it(false, false, false, &mut svg);
    // The library knows one font.
    svg.finalize().replace("Times, serif", "system-ui, sans-serif")
}

/// Adds the alpha channel that the library expects last.
const fn opaque(color: u32) -> u32 {
    color << 8 | 0xff
}

/// The library takes every letter for as wide as it is high.
fn narrow(size: Point) -> Point {
    const LETTER_WIDTH: f64 = 0.62;
    Point::new(size.x * LETTER_WIDTH, size.y)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn graph_with_cycles_and_any_name_is_drawn() {
        let table = |name: &str| GraphTable { name: name.to_owned(), outcome: "deleted".to_owned(), is_deleted: true };
        let edge = |from, to, owns| GraphEdge { from, to, label: "\"a\" & <b>".to_owned(), owns };
        let graph = Graph {
            tables: vec![table("public.users"), table("public.\"a\" & <b>")],
            edges: vec![
                edge(None, 0, true),
                edge(Some(0), 1, true),
                edge(Some(1), 0, false),
                edge(Some(1), 1, false),
                edge(Some(0), 1, false),
            ],
        };
        let svg = draw(&graph);
        assert!(svg.contains("<svg") && svg.contains("public.&quot;a&quot; &amp; &lt;b&gt;"), "{svg}");
        assert!(!svg.contains("<b>"), "{svg}");
    }

    #[test]
    fn map_without_tables_is_drawn() {
        assert!(draw(&Graph { tables: Vec::new(), edges: Vec::new() }).contains("the person"));
    }
}
