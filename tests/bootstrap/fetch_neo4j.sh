#!/usr/bin/env bash
# Fetches Neo4j Community's jars once into a cache outside the tree. Prints nothing when they are there.
# --optional: without Java 17 or Maven say so loudly and succeed (CI=true: fail all the same).
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
pom=$here/../neo4j/pom.xml
version=$(sed -n 's:.*<neo4j.version>\(.*\)</neo4j.version>.*:\1:p' "$pom")
lib=${GRAPHGATE_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/graphgate}/neo4j-$version/lib
[ -f "$lib/.complete" ] && exit 0

missing=""
java -version 2>&1 | grep -qE 'version "(17|21)' || missing="Java 17 or 21"
command -v mvn >/dev/null 2>&1 || missing="${missing:+$missing and }Maven"
if [ -n "$missing" ]; then
  echo "*** NO NEO4J: $missing not found; everything that needs a Neo4j server is left out ***" >&2
  [ "${1:-}" = "--optional" ] && [ "${CI:-}" != "true" ] && exit 0
  exit 1
fi
echo "fetching Neo4j Community $version (once)"
mkdir -p "$lib"
mvn -q -B -f "$pom" org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy-dependencies \
  -DincludeScope=runtime -DoutputDirectory="$lib"
touch "$lib/.complete"
