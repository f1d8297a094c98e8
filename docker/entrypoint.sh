#!/bin/bash
# What a container of wanyu-spark is:
#
#     driver ARGUMENTS...      of a pod that spark-submit made with --deploy-mode cluster
#     executor                 of a pod that a driver made
#     master
#     worker URL FLAGS...      spark://MASTER:7077 --cores 4 --memory 16g
#     history FOLDER           of event logs
#     anything else            is run as it is: spark-submit jobs/corpus.py ..., bash
#
# driver and executor are Spark's protocol for images (spark.kubernetes.container.image), of which pip's pyspark brings
# the JVM's half: variables SPARK_* of Constants.scala in, a command out. The process replaces this shell, so that the
# container's first process is the one that is told to end.
set -euo pipefail

id -un >/dev/null 2>&1 || { echo "error: user $(id -u) has no name in this image, and Spark asks for one: run as 10001" >&2; exit 2; }

class() { exec "$SPARK_HOME/bin/spark-class" "$@"; }

case "${1:-}" in
  driver)
    exec "$SPARK_HOME/bin/spark-submit" --deploy-mode client \
      --conf "spark.driver.bindAddress=$SPARK_DRIVER_BIND_ADDRESS" \
      --conf "spark.executorEnv.SPARK_DRIVER_POD_IP=$SPARK_DRIVER_BIND_ADDRESS" "${@:2}"
    ;;
  executor)
    # SPARK_JAVA_OPT_0, _1 ... hold an option each, in the order of their numbers, blanks and all.
    options=()
    for ((n = 0; ; n++)); do
      name=SPARK_JAVA_OPT_$n
      [ -n "${!name+set}" ] || break
      options+=("${!name}")
    done
    path="${SPARK_CONF_DIR:-$SPARK_HOME/conf}:${SPARK_CLASSPATH:+$SPARK_CLASSPATH:}$SPARK_HOME/jars/*"
    exec "$JAVA_HOME/bin/java" "${options[@]}" "-Xms$SPARK_EXECUTOR_MEMORY" "-Xmx$SPARK_EXECUTOR_MEMORY" \
      -cp "$path${SPARK_EXTRA_CLASSPATH:+:$SPARK_EXTRA_CLASSPATH}${SPARK_DIST_CLASSPATH:+:$SPARK_DIST_CLASSPATH}" \
      org.apache.spark.scheduler.cluster.k8s.KubernetesExecutorBackend \
      --driver-url "$SPARK_DRIVER_URL" --executor-id "$SPARK_EXECUTOR_ID" --cores "$SPARK_EXECUTOR_CORES" \
      --app-id "$SPARK_APPLICATION_ID" --hostname "$SPARK_EXECUTOR_POD_IP" \
      --resourceProfileId "$SPARK_RESOURCE_PROFILE_ID" --podName "$SPARK_EXECUTOR_POD_NAME"
    ;;
  master) class org.apache.spark.deploy.master.Master "${@:2}" ;;
  worker) class org.apache.spark.deploy.worker.Worker "${@:2}" ;;
  history)
    export SPARK_HISTORY_OPTS="-Dspark.history.fs.logDirectory=${2:?a folder of event logs} ${SPARK_HISTORY_OPTS:-}"
    class org.apache.spark.deploy.history.HistoryServer
    ;;
  *) exec "$@" ;;
esac
