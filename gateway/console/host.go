package console

import (
	"net"
	"net/http"
	"net/netip"
	"strings"
)

// ownName answers on a loopback address only to who asked for an address or for localhost. A page of the web can have its
// own name resolve to 127.0.0.1, and its script in an operator's browser would read the decision log from there; what it
// cannot do is ask under another name than its own.
func ownName(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if onLoopback(r) && !localName(r.Host) {
			http.Error(w, "on a loopback address the console answers to an address or localhost, not to another name", http.StatusMisdirectedRequest)
			return
		}
		next(w, r)
	}
}

func onLoopback(r *http.Request) bool {
	local, is := r.Context().Value(http.LocalAddrContextKey).(*net.TCPAddr)
	return is && local.IP.IsLoopback()
}

func localName(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	host = strings.ToLower(strings.TrimSuffix(strings.Trim(host, "[]"), "."))
	if host == "" || host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return true
	}
	_, err := netip.ParseAddr(host)
	return err == nil
}
