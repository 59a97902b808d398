# SPDX-License-Identifier: GPL-2.0
# Turns what `cargo test` prints into KTAP.
#
# cargo shows why tests failed after the results of all of a binary: a failed test is reported there.

function result(ok, name, why) { print (ok ? "ok " : "not ok ") ++number " " crate name why }

/^ *Running |^ *Doc-tests / {
	crate = $0
	sub(/^ *Running (unittests )?/, "", crate)
	sub(/^ *Doc-tests /, "doc ", crate)
	sub(/ \(.*/, "", crate)
	crate = crate ": "
}
/^test .* \.\.\. ok$/ { result(1, substr($0, 6, length($0) - 12), "") ; next }
/^test .* \.\.\. ignored/ {
	name = substr($0, 6)
	sub(/ \.\.\. ignored.*/, "", name)
	result(1, name, " # SKIP ignored, as the test itself says")
	next
}
/^test .* \.\.\. FAILED$/ { failed[substr($0, 6, length($0) - 16)] = 1; next }
/^---- .* stdout ----$/ { about = $0; gsub(/^---- | stdout ----$/, "", about); next }
# The list that follows the details, and the end of the binary.
/^test result: / || /^error: / {
	for (name in failed) {
		printf "%s", details[name]
		result(0, name, "")
	}
	delete failed
	delete details
	about = ""
}
about != "" { details[about] = details[about] "# " $0 "\n"; next }
{ print "# " $0 }
