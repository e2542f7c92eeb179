package lineage

import (
	"strings"

	"sluice/parser"
)

// nativeFunctions are functions of the server's own that tools call whatever the current schema is. An unqualified
// name of one, unquoted, never means a stored function, on MariaDB 10.11 and on MySQL 8.0 to 9.7. The list need not be
// whole: it counts only where the current schema is one of the system's, whose stored functions cannot be read.
var nativeFunctions = set(`abs acos addtime aes_decrypt aes_encrypt ascii asin atan atan2 benchmark bin bit_count bit_length ceil
ceiling char_length character_length charset coalesce coercibility collation compress concat concat_ws connection_id conv
convert_tz cos cot crc32 current_date current_time current_timestamp current_user curtime database date_format
datediff day dayname dayofmonth dayofweek dayofyear degrees elt exp export_set field find_in_set floor format found_rows
from_base64 from_days from_unixtime get_lock greatest hex hour if ifnull inet6_aton inet6_ntoa inet_aton inet_ntoa insert
instr is_free_lock is_ipv4 is_ipv6 is_used_lock isnull json_array json_array_append json_array_insert json_contains
json_contains_path json_depth json_extract json_insert json_keys json_length json_merge_patch json_merge_preserve
json_object json_pretty json_quote json_remove json_replace json_search json_set json_type json_unquote json_valid last_day
last_insert_id lcase least left length ln locate log log10 log2 lower lpad ltrim make_set makedate maketime microsecond
minute mod month monthname nullif oct octet_length ord period_add period_diff pi pow power quarter quote radians rand
regexp_instr regexp_replace regexp_substr release_all_locks release_lock repeat replace reverse right round row_count rpad
rtrim schema sec_to_time second sha2 sign sin sleep soundex space sqrt str_to_date strcmp substring_index subtime tan time
time_format time_to_sec timediff timestamp timestampadd timestampdiff to_base64 to_days to_seconds truncate ucase uncompress
uncompressed_length unhex unix_timestamp upper user utc_date utc_time utc_timestamp uuid uuid_short version week weekday
weekofyear year yearweek`)

// mariadbFunctions are more of them, which MySQL has not, or gave up (9.7 looks for a stored function MD5).
var mariadbFunctions = set(`current_role md5 old_password password sha1`)

// mysqlFunctions are more of them, which MariaDB has not.
var mysqlFunctions = set(`any_value bin_to_uuid is_uuid uuid_to_bin`)

// spacedFunctions are functions of the server's own whose name means a stored function when white space stands between
// it and the parenthesis.
var spacedFunctions = set(`adddate bit_and bit_or bit_xor count curdate curtime date_add date_sub group_concat json_arrayagg
json_objectagg max mid min now session_user std stddev stddev_pop stddev_samp subdate substr substring sum sysdate
system_user trim var_pop var_samp variance avg`)

// ownFunction tells whether an unqualified call certainly means a function of the server's own, whatever stands in the
// current schema.
func (t *tracer) ownFunction(name string) bool {
	name = strings.ToLower(name)
	more := mysqlFunctions
	switch t.b.reading.Dialect.Flavor {
	case parser.TiDB:
		return true // it has no stored functions
	case parser.MariaDB:
		more = mariadbFunctions
	}
	spaced := spacedFunctions[name]
	if !spaced && !nativeFunctions[name] && !more[name] {
		return false
	}
	st := t.at
	if st == nil && !t.body {
		st = t.b.statement
	}
	if st == nil {
		return !spaced
	}
	return !apart(st.Text, name, spaced)
}

// apart tells whether a name stands quoted before a parenthesis anywhere in a text, be it in a literal, or, where that
// counts, with white space between. Quoted, the word LEFT is no longer the function, but the name of a stored one.
func apart(text, name string, space bool) bool {
	for lower := strings.ToLower(text); ; {
		at := strings.Index(lower, name)
		if at < 0 {
			return false
		}
		lower = lower[at+len(name):]
		rest := strings.TrimLeft(lower, "` \t\r\n\v\f\"")
		between := lower[:len(lower)-len(rest)]
		if strings.HasPrefix(rest, "(") && (strings.ContainsAny(between, "`\"") || space && between != "") {
			return true
		}
	}
}

func set(words string) map[string]bool {
	m := make(map[string]bool)
	for w := range strings.FieldsSeq(words) {
		m[w] = true
	}
	return m
}

// routineless tells whether no stored function can stand in a schema.
func routineless(schema string) bool {
	s := strings.ToLower(schema)
	return s == "information_schema" || s == "performance_schema" || s == "metrics_schema"
}
