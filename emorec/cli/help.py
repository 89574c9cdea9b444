"""The short help of the commands that LightningCLI parses, without importing torch."""

FIT_HELP = """\
usage: emorec fit --config FILE --data.root DIR [options]
       emorec fit --ckpt lightning_logs/.../last.ckpt

{summary}

  -c, --config FILE             an experiment, such as configs/cnn_lstm.yaml; flags win over it
  --ckpt FILE                   go on from here, in the same run folder
  --data CLASS                  another data set, such as emorec.data.CSVDataModule
  --data.root DIR               where RAVDESS was unzipped; of a CSVDataModule the CSV file
  --data.split NAME             seed, msaf6, luna5, emobox6, loso or all; with folds also --data.fold N
  --data.allow_missing_actors true
                                go on without actors that are missing
  --data.modality KIND          av, video, both or audio
  --data.num_frames N           frames a clip: 6, 10, 16 or any other number
  --data.image_size N           pixels a side: 224, 112, ..., or height and width: [60, 100]
  --data.augment KIND           false, true, per_frame or seed_affwild2
  --data.face KIND              none, crop to the face, or align: also turn it upright
  --data.landmarks true         landmarks and blendshapes of the face too
  --data.frames false           no pixels, for a network of landmarks or sound
  --data.sound true             the sound of the clips too, for a network that takes audio
  --data.sound_embedding KIND   none, yamnet, speech_embedding or both, for AudioEmbedding, or a
                                speech model: ORG/NAME of Hugging Face or a folder
  --data.embedding_layer N      of a speech model; the middle one by default
  --data.adapt KIND             none, or person: by all clips of the same person, another protocol
  --data.cache WHERE            keep decoded frames: auto, none or a folder
  --data.balance KIND           none, weights or sampler
  --data.batch_size N           clips a step and process
  --data.num_workers N          loader processes
  --data.on_error skip          leave broken clips out instead of stopping
  --model CLASS                 another network, such as emorec.models.CNN3D
  --model.weights WHICH         DEFAULT, none or a file
  --model.freeze WHAT           none, stages or all of the backbone
  --model.lr X                  learning rate
  --model.compile true          torch.compile the network
  --trainer.max_epochs N        at most N epochs
  --trainer.devices N           GPUs on this machine; with --trainer.num_nodes over several
  --trainer.precision KIND      32-true, bf16-mixed or 16-mixed
  --trainer.logger CLASS        CSVLogger, WandbLogger, MLFlowLogger or a list, not TensorBoardLogger
  --early_stopping.patience N   stop after N epochs without a better val/uar or val/ccc
  --seed_everything N           the run's seed
  --print_config                print the whole configuration and stop

emorec fit --help-all lists every option, --model.help CLASS and --data.help CLASS those of a class."""

CHECKPOINT_OPTIONS = """\
  --ckpt FILE                   a checkpoint, which knows its network, data and transforms
  --data.root DIR               where the data lies now
  --data.batch_size N           clips a step and process
  --data.num_workers N          loader processes
  --data.on_error skip          leave broken clips out instead of stopping
  --trainer.accelerator KIND    cpu, gpu or auto
  --trainer.devices N           how many of them
  --trainer.precision KIND      32-true, bf16-mixed or 16-mixed
  --drop STREAM                 without frames, landmarks or sound, of a network that takes several
  --enrol N                     with --data.adapt person: by N other clips of the person instead of all
  --views N                     average over N views of each clip, up to ten crops and mirrors
  --calibrate                   calibrated probabilities too; validate fits what that needs"""

EVALUATION_HELP = """\
usage: emorec {command} --ckpt FILE [options]

{summary}

{options}
  --data.allow_missing_actors true
                                go on without actors that are missing

emorec {command} --help-all lists every option, --model.help CLASS and --data.help CLASS those of a class."""

PREDICT_DATA_HELP = f"""\
With the clips of a data set, emorec predict --ckpt FILE --data.root DIR [options]:

{CHECKPOINT_OPTIONS}

emorec predict --help-all lists every option of those.
"""
"""What `emorec predict --help` adds to the options for videos."""


def experiment_help(command: str, summary: str) -> str:
    """Return what `emorec fit --help`, or that of validate and test, prints.

    Args:
        command: Its name.
        summary: What it does, in a sentence.
    """
    text = FIT_HELP if command == "fit" else EVALUATION_HELP
    return text.format(command=command, summary=summary, options=CHECKPOINT_OPTIONS)
