// SPDX-License-Identifier: GPL-2.0

//! An image is compressed.

use std::fs::{
    File,
    OpenOptions, //
};

use anyhow::{
    bail,
    Result, //
};
use vnd_proto::cloop2::Geometry;

use crate::archive::Archive;
use crate::args::{
    Compress,
    Name,
    Restart, //
};
use crate::image::{
    self,
    Image, //
};
use crate::pipeline;
use crate::progress::Progress;
use crate::restart;
use crate::zlib;

/// Does what the command line asks for.
pub fn run(name: Name, options: &Compress) -> Result<()> {
    let progress = Progress::start(name, true)?;
    let mut image = Image::open(&options.image, options.length)?;
    let geometry = Geometry::of_image(image.bytes(), options.block_size)?;
    let mut archive = open_archive(options, geometry, &mut image, &progress)?;

    progress.begin(image.bytes())?;
    let result = append(options, &geometry, &mut image, &mut archive, &progress);
    progress.end();
    result?;

    if archive.done().blocks == geometry.blocks() {
        archive.finish()
    } else {
        archive.checkpoint()
    }
}

/// Compresses the blocks that are missing.
fn append(
    options: &Compress,
    geometry: &Geometry,
    image: &mut Image,
    archive: &mut Archive,
    progress: &Progress,
) -> Result<()> {
    let done = archive.done().blocks;
    let end = options.end_block.unwrap_or(u32::MAX).min(geometry.blocks());
    let mut missing = done..end;
    image.go_to(geometry, done)?;
    show(geometry, image.bytes(), archive, progress);
    progress.checkpointed();

    let image_bytes = image.bytes();
    pipeline::in_order(
        pipeline::batch_length(geometry.block_size().bytes()),
        || {
            missing
                .next()
                .map(|number| image.read(geometry, number))
                .transpose()
        },
        |block| zlib::deflate(&block),
        |stream| {
            archive.push(&stream)?;
            show(geometry, image_bytes, archive, progress);
            let blocks = archive.done().blocks;
            let due = options
                .checkpoint_blocks
                .is_some_and(|every| blocks % every == 0);
            // A request is met even where a checkpoint is due.
            if progress.take_checkpoint_request() || due {
                archive.checkpoint()?;
                progress.checkpointed();
            }
            Ok(())
        },
    )
}

fn show(geometry: &Geometry, image_bytes: u64, archive: &Archive, progress: &Progress) {
    let done = archive.done();
    let read = u64::from(done.blocks) * u64::from(geometry.block_size().bytes());
    // The empty offset table does not count.
    let written = if done.blocks == 0 { 0 } else { done.end };
    progress.advance(read.min(image_bytes), written);
}

/// Opens the output, as it is or emptied.
fn open_archive(
    options: &Compress,
    geometry: Geometry,
    image: &mut Image,
    progress: &Progress,
) -> Result<Archive> {
    let file = open_file(options, image.file())?;
    if options.restart != Restart::No {
        match restart::find(&file, &geometry, options.window, image) {
            Ok(done) => return Archive::resume(file, geometry, options.window, done),
            Err(error) if options.restart == Restart::OrFail => {
                bail!("restart failed, aborting: {error:#}")
            }
            Err(error) => progress.say(format_args!("beginning anew: {error:#}")),
        }
    }
    Archive::create(file, geometry, options.window)
}

fn open_file(options: &Compress, input: &File) -> Result<File> {
    let mut how = OpenOptions::new();
    how.write(true)
        .read(options.restart != Restart::No)
        .create(options.restart != Restart::OrFail);
    image::open_output(&options.archive, input, &how)
}
