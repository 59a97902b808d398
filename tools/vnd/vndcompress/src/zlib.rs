// SPDX-License-Identifier: GPL-2.0

//! A block and its zlib stream.

use anyhow::{
    bail,
    ensure,
    Result, //
};
use flate2::{
    Compress,
    Compression,
    Decompress,
    FlushCompress,
    FlushDecompress,
    Status, //
};

/// Compresses a block, as well as zlib can.
pub fn deflate(block: &[u8]) -> Result<Vec<u8>> {
    let mut zlib = Compress::new(Compression::best(), true);
    let mut stream = Vec::with_capacity(block.len() + block.len() / 1000 + 64);
    loop {
        let seen = usize::try_from(zlib.total_in())?;
        match zlib.compress_vec(&block[seen..], &mut stream, FlushCompress::Finish)? {
            Status::StreamEnd => return Ok(stream),
            _ => stream.reserve(64),
        }
    }
}

/// Uncompresses a stream to a block of at most `limit` bytes. What follows the stream is ignored.
pub fn inflate(stream: &[u8], limit: usize) -> Result<Vec<u8>> {
    let mut zlib = Decompress::new(true);
    // A few bytes may become a thousand times as many, but the memory is taken when they have.
    let mut block = Vec::with_capacity(limit.min(4 * stream.len()));
    loop {
        let seen = usize::try_from(zlib.total_in())?;
        let status = match zlib.decompress_vec(&stream[seen..], &mut block, FlushDecompress::Finish)
        {
            Ok(status) => status,
            Err(error) => bail!("{}", error.message().unwrap_or("its data is corrupt")),
        };
        ensure!(block.len() <= limit, "it has more than {limit} bytes");
        if status == Status::StreamEnd {
            return Ok(block);
        }
        ensure!(
            block.len() == block.capacity(),
            "its data ends before it is complete"
        );
        // One more than is allowed shows that there is more.
        let room = (limit - block.len()).min(block.len());
        block.reserve_exact(room + 1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_survives_whether_it_can_be_compressed_or_not() {
        let noise: Vec<u8> = (0..70_000_u64)
            .map(|i| (i.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56) as u8)
            .collect();
        let zeroes = vec![0; 70_000];
        for block in [noise.as_slice(), &zeroes, b"", b"x", &noise[..511]] {
            let stream = deflate(block).unwrap();
            assert!(stream.len() < 2 * block.len().max(512));
            assert_eq!(inflate(&stream, block.len()).unwrap(), block);
            assert_eq!(inflate(&stream, block.len() + 9).unwrap(), block);
        }
    }

    #[test]
    fn a_stream_that_is_too_much_too_little_or_wrong_is_refused() {
        let stream = deflate(&[7; 5000]).unwrap();
        for limit in [0, 1, 511, 4999] {
            let error = inflate(&stream, limit).unwrap_err().to_string();
            assert_eq!(error, format!("it has more than {limit} bytes"));
        }
        for length in 0..stream.len() {
            let error = inflate(&stream[..length], 5000).unwrap_err().to_string();
            assert_eq!(error, "its data ends before it is complete", "{length}");
        }
        // The checksum is at the end.
        for byte in [0, 1, stream.len() - 1] {
            let mut stream = stream.clone();
            stream[byte] ^= 1;
            inflate(&stream, 5000).unwrap_err();
        }
    }

    #[test]
    fn what_follows_a_stream_is_ignored() {
        let stream = [deflate(b"block").unwrap(), b"rest".to_vec()].concat();
        assert_eq!(inflate(&stream, 512).unwrap(), b"block");
    }
}
