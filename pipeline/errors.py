"""Everything this project raises on purpose.

PipelineError
├── ScanError          one scan is unusable: the build records a reject and goes on
│   ├── FormatError        its file cannot be read
│   ├── MeshError          its geometry is not a person
│   ├── AlignmentError     its front cannot be found
│   └── Excluded           the user leaves it out
├── ConfigError        the request makes no sense: stop before any work is done
├── ManifestError      a manifest disagrees with its schema or its files: stop
├── RenderError        no GL context, or a shader does not compile: stop
├── CheckpointError    weights and configuration do not belong together: stop
└── TrainingError      a training cannot go on as it is: stop, what was saved is good
"""


class PipelineError(Exception):
    """Root of everything raised on purpose; its text is one line that says what to do."""


class ScanError(PipelineError):
    """One scan is unusable; the others are not."""


class FormatError(ScanError):
    """A scan's file cannot be read."""


class MeshError(ScanError):
    """A scan's geometry is not a person."""


class AlignmentError(ScanError):
    """The front of a scan cannot be found."""


class Excluded(ScanError):  # noqa: N818  it is nobody's error
    """The user leaves a scan out."""


class ConfigError(PipelineError):
    """The request makes no sense."""


class ManifestError(PipelineError):
    """A manifest disagrees with its schema or with its files."""


class RenderError(PipelineError):
    """There is no GL context, or a shader does not compile."""


class CheckpointError(PipelineError):
    """Weights and configuration do not belong together."""


class TrainingError(PipelineError):
    """A training cannot go on: its loss is no number any more, or a process that it needs has died."""
