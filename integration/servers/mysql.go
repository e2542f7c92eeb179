package servers

import _ "embed"

// getMySQL unpacks Oracle's MySQL from Debian's packages into a folder, with nothing installed.
//
//go:embed get-mysql.sh
var getMySQL []byte
