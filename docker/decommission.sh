#!/bin/bash
# Before Kubernetes ends an executor: it is told to hand its shuffle files over (spark.decommission.enabled), and given
# its time. The executor is the container's first process (entrypoint.sh); with it the container ends, and this wait.
kill -s PWR 1
sleep "${WANYU_DECOMMISSION_SECONDS:-60}"
