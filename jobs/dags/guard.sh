# Ends with its task: `sh guard.sh COMMAND ...`, or `. guard.sh` as a script's first line, in a process group of its own.
# When the process that started this one is gone, of which nobody is told if it was killed for want of memory, or when
# this one is, whatever is left of the group goes: a driver whose JVM has died, a trainer without its shell.
task=$PPID
lives() { # one that nobody has waited for yet does not
  if read -r stat <"/proc/$1/stat"; then case $stat in *') Z '*) false ;; esac; else kill -0 "$1"; fi
}
(
  trap '' TERM
  while lives "$task" && lives $$; do sleep 1; done
  kill -s TERM -- -$$
  seconds=30 # for a trainer to save its checkpoint
  while lives $$ && [ "$seconds" -gt 0 ]; do sleep 1; seconds=$((seconds - 1)); done
  kill -s KILL -- -$$
) </dev/null >/dev/null 2>&1 &
[ $# -eq 0 ] || exec "$@"
trap 'exit 143' TERM # a shell waits for what it runs, so that the group is watched until that has ended
