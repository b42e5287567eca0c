// SPDX-License-Identifier: MIT

// Package spool keeps frames in a folder until each of its readers has settled
// them. It knows nothing of what the frames contain.
//
//	FOLDER/lock                  flock of the process that has the folder
//	FOLDER/0000000000000001.seg  a segment; the highest number is written to
//	FOLDER/0000000000000001.torn what was cut off a segment that was damaged
//
// A segment is a header of 4096 bytes and then frames. Integers are little endian.
//
//	header  0  magic and version, 16 bytes
//	       16  seed, 8 random bytes
//	       24  CRC-32C of the first 24 bytes
//	       64  for each reader two slots of 32 bytes, written in turns:
//	           generation, settled frames, CRC-32C with the seed and the reader
//	frame   0  CRC-32C of the length and the payload, begun with the CRC of the
//	           frame before, the first one with that of the header
//	        4  length of the payload
//
// So a frame that was damaged, cut out, moved, or left by another file breaks the
// chain at its place, and what follows is not read.
//
// # What holds
//
//   - Append returns nil when the frames are as durable as the level says; they
//     are read until they are settled, by this process or a later one.
//   - A slot is written after its frames were settled. It may lag behind, and
//     then frames are read again; it is never ahead.
//   - After a failed write or sync nothing more is written to that file. What it
//     may not have on the disk goes into a new one.
//   - One process has a folder at a time.
package spool
