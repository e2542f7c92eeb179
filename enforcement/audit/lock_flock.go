//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package audit

import (
	"errors"
	"os"
	"syscall"
	"time"
)

// lock takes the file for this process until unlock, and fails when another one holds it for longer than patience. A process
// that dies gives it back. File systems that know no locks are written without.
func lock(f *os.File, patience time.Duration) error {
	for begun := time.Now(); ; time.Sleep(time.Millisecond) {
		err := flock(f, syscall.LOCK_EX|syscall.LOCK_NB)
		switch {
		case !errors.Is(err, syscall.EWOULDBLOCK) && !errors.Is(err, syscall.EINTR):
			return nil
		case time.Since(begun) >= patience:
			return errors.New("another process holds its lock and does not give it back")
		}
	}
}

func unlock(f *os.File) { _ = flock(f, syscall.LOCK_UN) }

func flock(f *os.File, how int) error {
	raw, err := f.SyscallConn()
	if err != nil {
		return nil // it is closed: the write says so
	}
	var held error
	_ = raw.Control(func(fd uintptr) { held = syscall.Flock(int(fd), how) })
	return held
}
