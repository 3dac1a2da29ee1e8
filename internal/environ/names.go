package environ

import "strings"

// pypiNames maps the conda packages of machine learning whose name on PyPI is another. Source: the
// name mapping that conda-forge publishes (regro/cf-graph-countyfair, mappings/pypi), and the PyPI
// pages of the packages of the channels pytorch and nvidia.
var pypiNames = map[string]string{
	"pytorch":            "torch",
	"pytorch-cpu":        "torch",
	"pytorch-gpu":        "torch",
	"torchvision-cpu":    "torchvision",
	"py-xgboost":         "xgboost",
	"py-xgboost-cpu":     "xgboost",
	"py-xgboost-gpu":     "xgboost",
	"tensorflow-gpu":     "tensorflow", // one package since 2.1
	"tensorflow-base":    "tensorflow",
	"keras-gpu":          "keras",
	"opencv":             "opencv-python-headless", // no display in a worker
	"py-opencv":          "opencv-python-headless",
	"msgpack-python":     "msgpack",
	"pytables":           "tables",
	"psycopg2":           "psycopg2-binary", // the wheel that brings libpq, as the conda package does
	"python-graphviz":    "graphviz",
	"pysoundfile":        "soundfile",
	"matplotlib-base":    "matplotlib",
	"dask-core":          "dask",
	"ray-core":           "ray",
	"ray-default":        "ray",
	"uvicorn-standard":   "uvicorn",
	"python-flatbuffers": "flatbuffers",
	"snappy-python":      "python-snappy",
	"brotli-python":      "brotli",
	"docker-py":          "docker",
	"pyqt":               "pyqt5",
	"geopandas-base":     "geopandas",
}

// pypiName is the name on PyPI of a conda package; most have the same.
func pypiName(conda string) string {
	if name, known := pypiNames[conda]; known {
		return name
	}
	return conda
}

// nativePackages are the conda packages of compilers, drivers and C libraries. Wheels bring the
// libraries that they need with them. Source: the packages without an import name in the same mapping.
var nativePackages = map[string]bool{
	"cudatoolkit": true, "cudnn": true, "cuda": true, "cuda-toolkit": true, "cuda-version": true, "cuda-nvcc": true,
	"cuda-runtime": true, "pytorch-cuda": true, "pytorch-mutex": true, "cpuonly": true, "nccl": true, "mkl": true,
	"mkl-include": true, "intel-openmp": true, "llvm-openmp": true, "openblas": true, "blas": true, "nomkl": true,
	"openssl": true, "ca-certificates": true, "sqlite": true, "zlib": true, "bzip2": true, "xz": true, "tk": true,
	"readline": true, "ncurses": true, "ld_impl_linux-64": true, "gcc": true, "gxx": true, "gcc_linux-64": true,
	"gxx_linux-64": true, "compilers": true, "c-compiler": true, "cxx-compiler": true, "make": true, "cmake": true,
	"git": true, "curl": true, "ffmpeg": true, "hdf5": true, "jpeg": true, "freetype": true, "yaml": true, "icu": true,
	"conda": true, "python_abi": true, "_libgcc_mutex": true, "_openmp_mutex": true, "tzdata": true, "openjdk": true,
	"py-boost": true, "glib": true, "expat": true, "pcre": true, "lame": true, "nettle": true, "gmp": true, "gnutls": true,
}

// condaOnly reports whether a conda package is no Python package. Names that begin with "lib" are
// libraries, but for the ones listed.
func condaOnly(name string) bool {
	switch name {
	case "libclang", "libsass", "libcst", "libtmux":
		return false
	}
	return nativePackages[name] || strings.HasPrefix(name, "lib")
}

// servers are the packages that serve score.py in Azure's images (PyPI pages of azureml-defaults and
// azureml-inference-server-http). inference-schema, which scripts import, stays.
var servers = map[string]string{
	"azureml-defaults":              "the worker takes its place; list what else of it the code imports, such as azureml-core",
	"azureml-inference-server-http": "the worker takes its place",
}
