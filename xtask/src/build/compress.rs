//! Compresses files at build time. Brotli at its highest quality takes a second for the WASM, so results are cached by
//! content.

use std::fs;
use std::io::{Read, Write};
use std::path::Path;

use anyhow::Result;
use flate2::Compression;
use flate2::write::GzEncoder;

use crate::files::short_hash;

/// Brotli's highest quality, and the largest window that browsers support.
const QUALITY: u32 = 11;
const WINDOW: u32 = 22;

/// A file's content in both encodings that browsers request.
#[derive(Debug)]
pub(crate) struct Compressed {
    pub(crate) brotli: Vec<u8>,
    pub(crate) gzip: Vec<u8>,
}

/// Compresses content, or reads the result from the cache folder.
pub(crate) fn compress(content: &[u8], cache: &Path) -> Result<Compressed> {
    fs::create_dir_all(cache)?;
    let hash = short_hash(content);
    Ok(Compressed {
        brotli: cached(&cache.join(format!("{hash}.br")), || brotli(content))?,
        gzip: cached(&cache.join(format!("{hash}.gz")), || gzip(content))?,
    })
}

fn cached(path: &Path, make: impl FnOnce() -> Result<Vec<u8>>) -> Result<Vec<u8>> {
    if let Ok(content) = fs::read(path) {
        return Ok(content);
    }
    let content = make()?;
    // A concurrent reader must never see half a file.
    let unfinished = path.with_added_extension(std::process::id().to_string());
    fs::write(&unfinished, &content)?;
    fs::rename(unfinished, path)?;
    Ok(content)
}

fn brotli(content: &[u8]) -> Result<Vec<u8>> {
    let mut compressed = Vec::new();
    brotli::CompressorReader::new(content, 1 << 16, QUALITY, WINDOW).read_to_end(&mut compressed)?;
    Ok(compressed)
}

fn gzip(content: &[u8]) -> Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(content)?;
    Ok(encoder.finish()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn compressed_content_can_be_decompressed() {
        let content = b"one row, two rows, three rows, four rows".repeat(20);
        let mut read = Vec::new();
        brotli::Decompressor::new(brotli(&content).expect("it is in memory").as_slice(), 4096)
            .read_to_end(&mut read)
            .expect("the compressed content is valid");
        assert_eq!(read, content);
        read.clear();
        flate2::read::GzDecoder::new(gzip(&content).expect("it is in memory").as_slice())
            .read_to_end(&mut read)
            .expect("the compressed content is valid");
        assert_eq!(read, content);
    }
}
