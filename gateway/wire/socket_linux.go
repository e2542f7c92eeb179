package wire

import (
	"context"
	"net"
	"net/netip"
	"os"
	"syscall"
	"time"
	"unsafe"
)

// Listen listens at a TCP address for connections that are direct, stay alive and send what is written at once.
func Listen(address string) (net.Listener, error) {
	config := net.ListenConfig{KeepAlive: -1, Control: func(_, _ string, raw syscall.RawConn) error {
		return raw.Control(func(fd uintptr) { noDelay(fd); keepAlive(fd) }) // those that are accepted inherit them
	}}
	config.SetMultipathTCP(false) // it would not hand its options on everywhere
	l, err := config.Listen(context.Background(), "tcp", address)
	if err != nil {
		return nil, err
	}
	defer func() { _ = l.Close() }() // the file is the same socket, and the poller is to tell of it once
	file, err := l.(*net.TCPListener).File()
	if err != nil {
		return nil, err
	}
	raw, err := file.SyscallConn()
	if err != nil {
		_ = file.Close()
		return nil, err
	}
	return &listener{file: file, raw: raw, address: l.Addr()}, nil
}

// listener accepts by calls of its own: what package net asks of and tells each socket is known here already.
type listener struct {
	file    *os.File
	raw     syscall.RawConn
	address net.Addr
}

// Accept waits for the next connection.
func (l *listener) Accept() (net.Conn, error) {
	var fd uintptr
	var errno syscall.Errno
	var from syscall.RawSockaddrInet6 // the longer of the two
	err := l.raw.Read(func(at uintptr) bool {
		for {
			size := uint32(unsafe.Sizeof(from))
			fd, _, errno = syscall.RawSyscall6(syscall.SYS_ACCEPT4, at, uintptr(unsafe.Pointer(&from)), uintptr(unsafe.Pointer(&size)), syscall.SOCK_NONBLOCK|syscall.SOCK_CLOEXEC, 0, 0)
			if errno != syscall.EINTR && errno != syscall.ECONNABORTED {
				return errno != syscall.EAGAIN
			}
		}
	})
	if err != nil {
		err = asClosed(err)
	} else if errno != 0 {
		err = os.NewSyscallError("accept4", errno)
	}
	if err != nil {
		return nil, &net.OpError{Op: "accept", Net: "tcp", Addr: l.address, Err: err}
	}
	return newSocket(fd, peerOf(&from))
}

// Addr gives the address that is listened at.
func (l *listener) Addr() net.Addr { return l.address }

// Close ends accepting.
func (l *listener) Close() error { return l.file.Close() }

// Dial connects to a TCP address. The connection is to be told KeepAlive once it lasts. One of numbers is dialled by calls of this file's own: the dialer of package net, which looks
// names up and tries several addresses at once, costs nearly as much as the kernel's part of it on one machine.
func Dial(ctx context.Context, network, address string, timeout time.Duration) (net.Conn, error) {
	to, err := netip.ParseAddrPort(address)
	if network != "tcp" || err != nil || to.Addr().Zone() != "" {
		d := net.Dialer{Timeout: timeout, KeepAlive: keepAliveEvery}
		c, err := d.DialContext(ctx, network, address)
		if err != nil {
			return nil, err
		}
		return Direct(c), nil
	}
	c, err := dial(ctx, to, timeout)
	if err != nil {
		return nil, &net.OpError{Op: "dial", Net: network, Addr: net.TCPAddrFromAddrPort(to), Err: err}
	}
	return c, nil
}

func dial(ctx context.Context, to netip.AddrPort, timeout time.Duration) (net.Conn, error) {
	address, size := sockaddr(to)
	fd, _, errno := syscall.RawSyscall(syscall.SYS_SOCKET, uintptr(address.Family), syscall.SOCK_STREAM|syscall.SOCK_NONBLOCK|syscall.SOCK_CLOEXEC, syscall.IPPROTO_TCP)
	if errno != 0 {
		return nil, os.NewSyscallError("socket", errno)
	}
	noDelay(fd)
	connected := func(fd uintptr) bool {
		_, _, errno = syscall.RawSyscall(syscall.SYS_CONNECT, fd, uintptr(unsafe.Pointer(address)), size)
		return errno != syscall.EINPROGRESS && errno != syscall.EALREADY && errno != syscall.EINTR
	}
	waits := !connected(fd)
	if waits { // on one machine the first call connects, and a second says so
		waits = !connected(fd)
	}
	s, err := newSocket(fd, to)
	if err != nil {
		return nil, err
	}
	if waits {
		_ = s.SetWriteDeadline(time.Now().Add(timeout))
		stop := context.AfterFunc(ctx, func() { _ = s.SetWriteDeadline(time.Unix(1, 0)) })
		err = s.raw.Write(connected)
		if !stop() && err == nil {
			err = ctx.Err()
		}
		_ = s.SetWriteDeadline(time.Time{})
	}
	if err == nil && errno != 0 && errno != syscall.EISCONN {
		err = os.NewSyscallError("connect", errno)
	}
	if err != nil {
		_ = s.Close()
		return nil, err
	}
	return s, nil
}

// What every connection is set to: no packet waits for another, and a peer that is gone without a word is noticed after a few
// minutes, as package net sets it.
const (
	keepAliveEvery = 60 * time.Second
	keepAliveTries = 9
)

func noDelay(fd uintptr) { setOption(fd, syscall.IPPROTO_TCP, syscall.TCP_NODELAY, 1) }

func keepAlive(fd uintptr) {
	every := int32(keepAliveEvery / time.Second)
	setOption(fd, syscall.SOL_SOCKET, syscall.SO_KEEPALIVE, 1)
	setOption(fd, syscall.IPPROTO_TCP, syscall.TCP_KEEPIDLE, every)
	setOption(fd, syscall.IPPROTO_TCP, syscall.TCP_KEEPINTVL, every)
	setOption(fd, syscall.IPPROTO_TCP, syscall.TCP_KEEPCNT, keepAliveTries)
}

// setOption sets a socket's option (socket(7), tcp(7)). None of those here fails on a socket that is open.
func setOption(fd, level, name uintptr, value int32) {
	_, _, _ = syscall.RawSyscall6(syscall.SYS_SETSOCKOPT, fd, level, name, uintptr(unsafe.Pointer(&value)), unsafe.Sizeof(value), 0)
}

// KeepAlive has the end of a peer that is gone without a word noticed. A connection that was accepted has it from the start; one
// that was dialled is told when it lasts, since most are short and it takes four calls.
func (c *directConn) KeepAlive() { _ = c.raw.Control(keepAlive) }

// file is a socket as package os keeps it: it waits for it by the runtime's poller.
type file struct {
	*os.File
	remote net.TCPAddr
}

// newSocket takes over a connected, non-blocking socket.
func newSocket(fd uintptr, remote netip.AddrPort) (*directConn, error) {
	f := &file{File: os.NewFile(fd, "tcp"), remote: *net.TCPAddrFromAddrPort(remote)}
	raw, err := f.SyscallConn()
	if err != nil {
		_ = f.Close()
		return nil, err
	}
	return directed(f, raw), nil
}

// RemoteAddr gives the address that was dialled or accepted.
func (f *file) RemoteAddr() net.Addr { return &f.remote }

// LocalAddr asks the kernel: it is told in errors alone.
func (f *file) LocalAddr() net.Addr {
	local := net.TCPAddr{}
	raw, err := f.SyscallConn()
	if err != nil {
		return &local
	}
	_ = raw.Control(func(fd uintptr) {
		switch a, _ := syscall.Getsockname(int(fd)); a := a.(type) {
		case *syscall.SockaddrInet4:
			local.IP, local.Port = a.Addr[:], a.Port
		case *syscall.SockaddrInet6:
			local.IP, local.Port = a.Addr[:], a.Port
		}
	})
	return &local
}

// sockaddr gives an address as the kernel takes it (ip(7), ipv6(7)): one of IPv4 lies in the first bytes of the longer form.
func sockaddr(to netip.AddrPort) (a *syscall.RawSockaddrInet6, size uintptr) {
	ip := to.Addr().Unmap()
	a = &syscall.RawSockaddrInet6{Family: syscall.AF_INET6, Addr: ip.As16()}
	size = unsafe.Sizeof(*a)
	if ip.Is4() {
		short := (*syscall.RawSockaddrInet4)(unsafe.Pointer(a))
		*short = syscall.RawSockaddrInet4{Family: syscall.AF_INET, Addr: ip.As4()}
		size = unsafe.Sizeof(*short)
	}
	port := (*[2]byte)(unsafe.Pointer(&a.Port)) // in network order
	port[0], port[1] = byte(to.Port()>>8), byte(to.Port())
	return a, size
}

// peerOf reads what the kernel wrote.
func peerOf(a *syscall.RawSockaddrInet6) netip.AddrPort {
	p := (*[2]byte)(unsafe.Pointer(&a.Port))
	port := uint16(p[0])<<8 | uint16(p[1])
	if a.Family == syscall.AF_INET {
		return netip.AddrPortFrom(netip.AddrFrom4((*syscall.RawSockaddrInet4)(unsafe.Pointer(a)).Addr), port)
	}
	return netip.AddrPortFrom(netip.AddrFrom16(a.Addr).Unmap(), port)
}
