// SPDX-License-Identifier: MIT

package spool

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// FS is the file system below a folder.
type FS interface {
	ReadDir(dir string) ([]fs.DirEntry, error)
	Create(path string) (File, error) // fails if it exists
	Open(path string) (File, error)
	Rename(from, to string) error
	Remove(path string) error
	SyncDir(dir string) error // makes the names in it durable
	Free(dir string) int64    // bytes that this process may still write
	Lock(path string) (io.Closer, error)
}

// File is what is used of an [os.File].
type File interface {
	io.ReaderAt
	io.WriterAt
	io.Closer
	Truncate(size int64) error
	Sync() error // makes the content durable
	Size() (int64, error)
}

// OS is the file system of the machine.
type OS struct{}

var _ FS = OS{}

func (OS) ReadDir(dir string) ([]fs.DirEntry, error) { return os.ReadDir(dir) }
func (OS) Rename(from, to string) error              { return os.Rename(from, to) }
func (OS) Remove(path string) error                  { return os.Remove(path) }
func (OS) Free(dir string) int64                     { return free(dir) }

func (OS) Create(path string) (File, error) {
	return open(path, os.O_RDWR|os.O_CREATE|os.O_EXCL)
}

func (OS) Open(path string) (File, error) { return open(path, os.O_RDWR) }

// SyncDir returns errors of the disk. Others say that the folder cannot be synced, as
// on Windows, which makes a name durable with the file or not at all, or not be read.
func (OS) SyncDir(dir string) error {
	d, err := os.Open(dir)
	if err == nil {
		err = errors.Join(d.Sync(), d.Close())
	}
	return ofDisk(err)
}

func ofDisk(err error) error {
	if errors.Is(err, syscall.EIO) {
		return err
	}
	return nil
}

// Lock makes the file at path and locks it until it is closed.
func (OS) Lock(path string) (io.Closer, error) {
	for range 10 {
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			return nil, err
		}
		f, err := lock(path)
		if errors.Is(err, fs.ErrNotExist) { // the folder was adopted meanwhile
			continue
		}
		if err != nil {
			return nil, err
		}
		mine, err := f.Stat()
		there, gone := os.Stat(path)
		if err == nil && gone == nil && os.SameFile(mine, there) {
			return f, nil
		}
		_ = f.Close()
	}
	return nil, ErrLocked
}

type osFile struct{ *os.File }

func open(path string, flag int) (File, error) {
	f, err := os.OpenFile(path, flag, 0o600)
	if err != nil {
		return nil, err
	}
	return osFile{f}, nil
}

func (f osFile) Sync() error { return datasync(f.File) }

func (f osFile) Size() (int64, error) {
	info, err := f.Stat()
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}
