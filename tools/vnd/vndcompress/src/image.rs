// SPDX-License-Identifier: GPL-2.0

//! The image that is compressed, and the files that are written.

use std::fs::{
    File,
    OpenOptions, //
};
use std::io::{
    self,
    Read,
    Seek,
    SeekFrom, //
};
use std::os::unix::fs::MetadataExt;
use std::path::{
    Path,
    PathBuf, //
};

use anyhow::{
    ensure,
    Context,
    Result, //
};
use vnd_proto::cloop2::Geometry;

/// Opens a file to read.
pub fn open(path: &Path) -> Result<File> {
    let file = File::open(path).with_context(|| path.display().to_string())?;
    ensure!(
        !file.metadata()?.is_dir(),
        "{}: it is a directory",
        path.display()
    );
    Ok(file)
}

/// The size of a file or a disk; `None` when it has none.
pub fn size(mut file: &File) -> Option<u64> {
    let here = file.stream_position().ok()?;
    let size = file.seek(SeekFrom::End(0)).ok()?;
    file.seek(SeekFrom::Start(here)).ok()?;
    Some(size)
}

/// Opens a file to be written, as asked; it must not be the one that is read.
pub fn open_output(path: &Path, input: &File, options: &OpenOptions) -> Result<File> {
    let output = options
        .open(path)
        .with_context(|| path.display().to_string())?;
    let (from, to) = (input.metadata()?, output.metadata()?);
    ensure!(
        (from.dev(), from.ino()) != (to.dev(), to.ino()),
        "{}: the same file cannot be read and written",
        path.display()
    );
    Ok(output)
}

/// Empties a file that is to be written anew. A disk or a pipe stays as it is.
pub fn truncate(output: &File) -> io::Result<()> {
    if output.metadata()?.is_file() {
        output.set_len(0)?;
    }
    Ok(())
}

/// An image that is read block by block.
pub struct Image {
    file: File,
    path: PathBuf,
    bytes: u64,
    seekable: bool,
}

impl Image {
    /// Opens an image, whose length is the one given, or its own.
    pub fn open(path: &Path, length: Option<u64>) -> Result<Self> {
        let file = open(path)?;
        let size = size(&file);
        let bytes = length.or(size).filter(|&bytes| bytes > 0);
        let bytes = bytes.with_context(|| {
            let path = path.display();
            format!("unknown image size: {path} is empty or a pipe, and there is no -l")
        })?;
        Ok(Self {
            file,
            path: path.to_owned(),
            bytes,
            seekable: size.is_some(),
        })
    }

    /// How many bytes of it are compressed.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The file itself.
    pub fn file(&self) -> &File {
        &self.file
    }

    /// Whether it can be read twice.
    pub fn is_seekable(&self) -> bool {
        self.seekable
    }

    /// Makes a block the next to be read. A pipe must be at its beginning.
    pub fn go_to(&mut self, geometry: &Geometry, block: u32) -> Result<()> {
        let position = u64::from(block) * u64::from(geometry.block_size().bytes());
        if self.seekable {
            self.file.seek(SeekFrom::Start(position))?;
        } else {
            let skipped = io::copy(&mut (&self.file).take(position), &mut io::sink())?;
            ensure!(
                skipped == position,
                "{}: the image ends before block {block}",
                self.path.display()
            );
        }
        Ok(())
    }

    /// Reads the next block, whose number this is. The last may be short.
    pub fn read(&mut self, geometry: &Geometry, number: u32) -> Result<Vec<u8>> {
        let size = u64::from(geometry.block_size().bytes());
        let wanted = size.min(self.bytes - u64::from(number) * size);
        let mut block = Vec::with_capacity(usize::try_from(wanted)?);
        (&self.file)
            .take(wanted)
            .read_to_end(&mut block)
            .with_context(|| format!("{}: block {number} cannot be read", self.path.display()))?;
        ensure!(
            block.len() as u64 == wanted,
            "{}: the image ends within block {number}: {} bytes instead of {wanted}",
            self.path.display(),
            block.len()
        );
        Ok(block)
    }
}
