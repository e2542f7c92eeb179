//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package audit

import (
	"errors"
	"os"
	"syscall"
)

// lock takes the file for this process until it is closed. A process that dies gives it back. File systems that know no
// locks are written without.
func lock(f *os.File) error {
	raw, err := f.SyscallConn()
	if err != nil {
		return err
	}
	var held error
	if err := raw.Control(func(fd uintptr) { held = syscall.Flock(int(fd), syscall.LOCK_EX|syscall.LOCK_NB) }); err != nil {
		return err
	}
	if errors.Is(held, syscall.EWOULDBLOCK) {
		return errors.New("another process writes it: each gateway needs a file of its own")
	}
	return nil
}
