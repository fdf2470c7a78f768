# Outlives the process that started it and cleans up after it. On standard input, one a line:
#   pid N START SIGNAL SECONDS   end this process with SIGNAL, and KILL it when it is there SECONDS later; START is its
#                                start time, so that a later process of the same number is left alone
#   gone N                       it has ended
#   dir PATH                     remove this directory
# The end of the input means that the starter is gone, whether it returned, panicked or was killed.
trap '' HUP INT TERM
pids='' dirs=''
newline='
'
while read -r verb value; do
  case "$verb" in
    pid) pids="$value$newline$pids" ;;
    gone) pids="$(printf '%s' "$pids" | grep -v "^$value ")$newline" ;;
    dir) dirs="$dirs$value$newline" ;;
  esac
done

# alive N START
alive() {
  stat="$(cat "/proc/$1/stat" 2>/dev/null)" || return 1
  wanted="$2"
  # The fields after the name in parentheses: the first is the state, the twentieth the start time.
  set -- ${stat##*) }
  [ "$1" != Z ] && [ "${20}" = "$wanted" ]
}

# In the reverse order of their start: first who uses, then who serves.
printf '%s' "$pids" | while read -r pid start signal seconds; do
  [ -n "$pid" ] || continue
  if [ "$seconds" -gt 0 ]; then
    alive "$pid" "$start" && kill -"$signal" "$pid" 2>/dev/null
    tenths=$((seconds * 10))
    while [ "$tenths" -gt 0 ] && alive "$pid" "$start"; do
      sleep 0.1
      tenths=$((tenths - 1))
    done
  fi
  alive "$pid" "$start" && kill -KILL "$pid" 2>/dev/null
done

# A server's own children may write for a moment longer.
printf '%s' "$dirs" | while read -r dir; do
  [ -n "$dir" ] || continue
  for _ in 1 2 3 4 5 6 7 8 9 10; do
    rm -rf "$dir" 2>/dev/null
    [ -e "$dir" ] || break
    sleep 0.2
  done
done
