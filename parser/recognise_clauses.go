package parser

import "strings"

// tableOptions are the words of table options and of partitioning, and those of their values that are no strings: what
// may stand outside of parentheses in CREATE TABLE behind the name.
var tableOptions = words(`AGGREGATE ALGORITHM ALWAYS AS ASCII AUTO AUTO_ID_CACHE AUTO_INCREMENT AUTO_RANDOM_BASE AUTOEXTEND_SIZE AVG_ROW_LENGTH BINARY BY BYTE CHARACTER CHARSET
	CHECKSUM CLUSTERED COLLATE COLUMNS COMMENT COMPACT COMPRESSED COMPRESSION CONNECTION CURRENT DATA DAY DAY_HOUR DAY_MICROSECOND DAY_MINUTE DAY_SECOND DEFAULT DELAY_KEY_WRITE DIRECTORY DISK DYNAMIC
	ENCRYPTED ENCRYPTION ENCRYPTION_KEY_ID ENGINE ENGINE_ATTRIBUTE EVERY EXISTS FIRST FIXED FOLLOWING FULL GLOBAL HASH HISTORY HOUR HOUR_MICROSECOND HOUR_MINUTE HOUR_SECOND IETF_QUOTES IF IGNORE IN INDEX INSERT_METHOD
	INTERVAL KEY KEY_BLOCK_SIZE LAST LESS LIKE LIMIT LINEAR LIST MAX_ROWS MAXVALUE MEMORY MICROSECOND MIN_ROWS MINUTE MINUTE_MICROSECOND MINUTE_SECOND MONTH NO NODEGROUP NOT NULL OFF ON PACK_KEYS PAGE_CHECKSUM
	PAGE_COMPRESSED PAGE_COMPRESSION_LEVEL PARTITION PARTITIONS PASSWORD PERIOD PLACEMENT POLICY PRE_SPLIT_REGIONS QUARTER RANGE REDUNDANT REPLACE ROW_FORMAT SECOND SECOND_MICROSECOND
	SECONDARY_ENGINE SECONDARY_ENGINE_ATTRIBUTE SEQUENCE SET SHARD_ROW_ID_BITS START STARTS STATS_AUTO_RECALC STATS_COL_CHOICE STATS_COL_LIST STATS_PERSISTENT STATS_SAMPLE_PAGES
	STATS_SAMPLE_RATE STORAGE SUBPARTITION SUBPARTITIONS SYSTEM SYSTEM_TIME TABLE_CHECKSUM TABLESPACE THAN TRADITIONAL TRANSACTION TRANSACTIONAL TTL TTL_ENABLE TTL_JOB_INTERVAL TYPE
	UNICODE UNION VALUES VERSIONING WEEK WITH WITHOUT YEAR YEAR_MONTH`)

// knownOptions tells whether what stands behind a new table's name outside of parentheses is known: an option of a
// storage engine is name = value; what is not known could name a table that it copies.
func (s *scan) knownOptions(from, to int) bool {
	depth := 0
	for i := from; i < to; i++ {
		t := s.st.Tokens[i]
		switch {
		case t.is(s.st.Text, "("):
			depth++
		case t.is(s.st.Text, ")"):
			depth--
		case depth > 0 || !t.isName():
		case s.at(i+1, "="), s.at(i-1, "="):
		case t.Kind == Word && tableOptions[strings.ToUpper(t.text(s.st.Text))]:
		case s.valueOf(i):
		default:
			return false
		}
	}
	return true
}

// named are the options whose value is a name that may stand without '='. REFERENCES and LIKE are read elsewhere.
var named = words("ENGINE TYPE CHARSET SET COLLATE TABLESPACE PARTITION SUBPARTITION POLICY LIKE NODEGROUP ROW_FORMAT INSERT_METHOD")

// valueOf tells whether token i is the value of an option, or goes on with a qualified name.
func (s *scan) valueOf(i int) bool {
	for i >= 2 && s.at(i-1, ".") {
		i -= 2
	}
	return i > 0 && named[strings.ToUpper(s.st.Tokens[i-1].text(s.st.Text))]
}

// at tells whether token i is a word or sign.
func (s *scan) at(i int, word string) bool {
	return i >= 0 && i < len(s.st.Tokens) && s.st.Tokens[i].is(s.st.Text, word)
}

// alterClauses are the words that a clause of ALTER TABLE begins with.
var alterClauses = words(`ADD ALTER ANALYZE ATTRIBUTES CACHE CHANGE CHECK COALESCE CONVERT DISABLE DISCARD DROP ENABLE EXCHANGE FORCE IMPORT LOCK MODIFY NOCACHE NOWAIT
	OPTIMIZE ORDER REBUILD REMOVE RENAME REORGANIZE REPAIR REPLICA SECONDARY_LOAD SECONDARY_UNLOAD TRUNCATE VALIDATION WAIT`)

// knownClauses tells whether each clause of an ALTER TABLE begins with a known word, or is name = value.
func (s *scan) knownClauses(from int) bool {
	depth, begins := 0, true
	for i := from; i < s.last(); i++ {
		t := s.st.Tokens[i]
		word := strings.ToUpper(t.text(s.st.Text))
		if begins && depth == 0 && !alterClauses[word] && !tableOptions[word] && !s.at(i+1, "=") {
			return false
		}
		begins = false
		switch word {
		case "(":
			depth++
		case ")":
			depth--
		case ",":
			begins = depth == 0
		}
	}
	return true
}
