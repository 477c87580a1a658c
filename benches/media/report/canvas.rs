//! Pixels in memory, saved as a PNG file. The fonts are built in, because a minimal machine has none.

use std::convert::Infallible;
use std::fs::File;
use std::io::{self, BufWriter};
use std::path::Path;

use embedded_graphics::mono_font::{MonoFont, MonoTextStyle};
use embedded_graphics::pixelcolor::Rgb888;
use embedded_graphics::prelude::*;
use embedded_graphics::primitives::{PrimitiveStyle, Rectangle};
use embedded_graphics::text::{Alignment, Baseline, Text, TextStyleBuilder};

/// A white sheet to draw on.
pub struct Canvas {
    size: Size,
    pixels: Vec<u8>,
}

impl Canvas {
    /// A sheet of this size.
    pub fn new(width: u32, height: u32) -> Self {
        Self { size: Size::new(width, height), pixels: vec![255; (width * height) as usize * 3] }
    }

    /// Fills a rectangle.
    pub fn fill(&mut self, x: i32, y: i32, width: i32, height: i32, colour: Rgb888) {
        let size = Size::new(width.max(0).unsigned_abs(), height.max(0).unsigned_abs());
        let area = Rectangle::new(Point::new(x, y), size);
        let Ok(()) = area.into_styled(PrimitiveStyle::with_fill(colour)).draw(self);
    }

    /// Writes a line of ASCII with its top at `y`.
    pub fn text(
        &mut self,
        text: &str,
        x: i32,
        y: i32,
        font: &MonoFont<'_>,
        colour: Rgb888,
        alignment: Alignment,
    ) {
        let style = TextStyleBuilder::new().alignment(alignment).baseline(Baseline::Top).build();
        let characters = MonoTextStyle::new(font, colour);
        let Ok(_) = Text::with_text_style(text, Point::new(x, y), characters, style).draw(self);
    }

    /// Writes the file.
    pub fn save(&self, path: &Path) -> io::Result<()> {
        let file = BufWriter::new(File::create(path)?);
        let mut encoder = png::Encoder::new(file, self.size.width, self.size.height);
        encoder.set_color(png::ColorType::Rgb);
        encoder.set_depth(png::BitDepth::Eight);
        encoder.write_header()?.write_image_data(&self.pixels).map_err(io::Error::from)
    }
}

impl OriginDimensions for Canvas {
    fn size(&self) -> Size {
        self.size
    }
}

impl DrawTarget for Canvas {
    type Color = Rgb888;
    type Error = Infallible;

    fn draw_iter<I: IntoIterator<Item = Pixel<Rgb888>>>(&mut self, pixels: I) -> Result<(), Infallible> {
        for Pixel(point, colour) in pixels {
            let (Ok(x), Ok(y)) = (u32::try_from(point.x), u32::try_from(point.y)) else { continue };
            if x >= self.size.width || y >= self.size.height {
                continue;
            }
            let at = (y * self.size.width + x) as usize * 3;
            if let Some(pixel) = self.pixels.get_mut(at..at + 3) {
                pixel.copy_from_slice(&[colour.r(), colour.g(), colour.b()]);
            }
        }
        Ok(())
    }
}
