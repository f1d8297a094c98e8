# Airflow with the DAGs and the provider of Spark; beside it, with a Python of its own, wanyu as the image wanyu-spark has
# it: spark-submit, Java, the jobs. Nothing of theirs is in Airflow's environment. Drivers run here, beside the tasks.
#
#     docker build --file docker/airflow.Dockerfile --build-context wanyu-spark=docker-image://wanyu-spark \
#       --tag wanyu-airflow .
#
# No torch: a worker that trains needs the environment of docker/train.Dockerfile as well.

FROM apache/airflow:3.3.2-python3.12 AS run
USER 0
# hadolint ignore=DL3022
COPY --from=wanyu-spark /opt/java /opt/java
# hadolint ignore=DL3022
COPY --from=wanyu-spark /usr/local/bin/python3.11 /usr/local/bin/
# hadolint ignore=DL3022
COPY --from=wanyu-spark /usr/local/lib/libpython3.11.so.1.0 /usr/local/lib/
# hadolint ignore=DL3022
COPY --from=wanyu-spark /usr/local/lib/python3.11 /usr/local/lib/python3.11
# hadolint ignore=DL3022
COPY --from=wanyu-spark /opt/venv /opt/venv
# hadolint ignore=DL3022
COPY --from=wanyu-spark --chown=50000:0 /opt/wanyu /opt/wanyu
ENV JAVA_HOME=/opt/java \
    NUMBA_CACHE_DIR=/opt/wanyu/kernels
# The link that a venv has to its Python may name Airflow's here.
RUN ldconfig && ln -sf /usr/local/bin/python3.11 /opt/venv/bin/python && chmod -R g=u /opt/wanyu/kernels
USER 50000
RUN pip install --no-cache-dir "apache-airflow==${AIRFLOW_VERSION}" apache-airflow-providers-apache-spark==6.3.4
COPY jobs/dags /opt/airflow/dags
# Tries the image: both environments, and that each DAG is read.
RUN env -u PYTHONPATH /opt/venv/bin/python /opt/wanyu/jobs/corpus.py --help > /dev/null \
 && python -c "from airflow.dag_processing.dagbag import BundleDagBag as Bag; \
bag = Bag(dag_folder='/opt/airflow/dags', bundle_path='/opt/airflow/dags'); \
assert bag.dags and not bag.import_errors, bag.import_errors"
